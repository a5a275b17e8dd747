import { KeyRound } from "lucide-react";
import { useMemo, useState, type ReactNode } from "react";

import { href } from "../app/route";
import { toast } from "../app/toasts";
import { me } from "../boot";
import { Shown } from "../text/Shown";
import { Ago, Left } from "../time/Moment";
import { Bones } from "../ui/Bones";
import { Empty } from "../ui/Empty";
import type { HeldLease, WaitingLease } from "../wire/frames";
import { send } from "../wire/http";
import { command } from "../wire/hub";
import { useRight } from "../wire/useRight";
import { t } from "../words";
import { Break } from "./Break";
import { about } from "./estimate";
import { Graph } from "./Graph";
import { usePicture } from "./usePicture";

/** Who holds what, since when and why; who waits, behind whom, and about how long. */
export default function Leases() {
  const { data, isLoading, refetch } = usePicture();
  const mayBreak = useRight("break");
  const [breaking, setBreaking] = useState<HeldLease | null>(null);
  const [mineOnly, setMineOnly] = useState(false);
  const held = useMemo(
    () => data?.held.filter((each) => !mineOnly || each.principal === me.id) ?? [],
    [data, mineOnly],
  );

  const release = async (lease: HeldLease) => {
    const reply = await command(`unlock ${lease.lock_id}`);
    toast({ kind: reply.ok ? "good" : "bad", text: reply.text });
    void refetch();
  };
  const give = async (ticket: string) => {
    const reply = await command(`cancel ${ticket}`);
    toast({ kind: reply.ok ? "good" : "bad", text: reply.text });
    void refetch();
  };
  const doBreak = async (lease: HeldLease, reason: string) => {
    setBreaking(null);
    try {
      await send("POST", `/v1/leases/${lease.lock_id}/break`, { body: { reason } });
      toast({ kind: "good", text: t("leases.broken", { id: lease.lock_id }) });
    } catch (error) {
      toast({ kind: "bad", text: error instanceof Error ? error.message : String(error) });
    }
    void refetch();
  };
  return (
    <div className="h-full overflow-auto">
      <div className="sticky top-0 z-10 flex items-center justify-between border-b border-line bg-surface px-4 py-2.5 md:px-6">
        <h1 className="text-base font-semibold">{t("leases.title")}</h1>
        <label className="flex min-h-8 cursor-pointer items-center gap-2 text-[13px]">
          <input
            type="checkbox"
            className="size-4 accent-(--accent)"
            checked={mineOnly}
            onChange={(event) => setMineOnly(event.target.checked)}
          />
          {t("leases.mine")}
        </label>
      </div>
      {isLoading || !data ? (
        <Bones rows={6} />
      ) : data.held.length === 0 && data.waiting.length === 0 ? (
        <Empty icon={<KeyRound size={32} />} title={t("leases.empty")}>
          {t("leases.empty.text")}
        </Empty>
      ) : (
        <div className="mx-auto grid max-w-5xl gap-7 px-4 py-5 md:px-6">
          <Section title={t("leases.held")} count={held.length}>
            {held.map((lease) => (
              <Held
                key={lease.lock_id}
                lease={lease}
                waiters={data.waiting.filter((each) => each.behind.includes(lease.lock_id))}
                mayBreak={mayBreak}
                onRelease={() => void release(lease)}
                onBreak={() => setBreaking(lease)}
              />
            ))}
          </Section>
          {data.waiting.length > 0 && (
            <Section title={t("leases.waiting")} count={data.waiting.length}>
              {data.waiting.map((each) => (
                <Waiting key={each.ticket} waiter={each} onGiveUp={() => void give(each.ticket)} />
              ))}
            </Section>
          )}
          <Graph picture={data} />
        </div>
      )}
      {breaking && (
        <Break lease={breaking} onClose={() => setBreaking(null)} onDo={(reason) => void doBreak(breaking, reason)} />
      )}
    </div>
  );
}

function Section({ title, count, children }: { title: string; count: number; children: ReactNode }) {
  return (
    <section>
      <h2 className="label mb-2">
        {title} <span className="font-normal">{count}</span>
      </h2>
      <ul className="overflow-hidden rounded-xl border border-line bg-surface">{children}</ul>
    </section>
  );
}

function Names({ resources }: { resources: readonly string[] }) {
  return (
    <span className="flex flex-wrap gap-1.5">
      {resources.map((each) => (
        <code key={each} className="rounded-md bg-muted/12 px-1.5 py-0.5 text-[12.5px] [overflow-wrap:anywhere]">
          <Shown text={each} />
        </code>
      ))}
    </span>
  );
}

interface HeldProps {
  readonly lease: HeldLease;
  readonly waiters: readonly WaitingLease[];
  readonly mayBreak: boolean;
  readonly onRelease: () => void;
  readonly onBreak: () => void;
}

function Held({ lease, waiters, mayBreak, onRelease, onBreak }: HeldProps) {
  const mine = lease.principal === me.id;
  const isClosed = lease.state === "closed";
  return (
    <li
      className="lease flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-4 py-3 last:border-b-0"
      data-id={lease.lock_id}
    >
      <span className="w-12 font-mono text-[12.5px] text-muted">{lease.lock_id}</span>
      <div className="min-w-0 flex-1 basis-64">
        <Names resources={lease.resources} />
        <p className="mt-1 text-[13px] text-muted [overflow-wrap:anywhere]">
          <b className="font-medium text-ink">
            <Shown text={lease.principal} />
          </b>{" "}
          · <Ago at={lease.acquired_at} />
          {lease.approval && (
            <>
              {" · "}
              <a
                className="font-mono text-accent hover:underline"
                href={href({ room: "queue", approval: lease.approval })}
              >
                {lease.approval}
              </a>
            </>
          )}
          {lease.purpose && (
            <>
              {" · "}
              <Shown text={lease.purpose} />
            </>
          )}
        </p>
      </div>
      {lease.silent && (
        <span className="chip tone-warn silent" title={t("leases.silent.text")}>
          {t("leases.silent")}
        </span>
      )}
      {lease.mode === "shared" && <span className="chip tone-plain">{t("leases.shared")}</span>}
      {isClosed ? (
        <span className="chip tone-warn" title={t("leases.closed.text")}>
          {t("leases.closed")}
        </span>
      ) : (
        lease.expires_at && (
          <span className="w-24 text-right text-[13px]">
            <Left until={lease.expires_at} />
          </span>
        )
      )}
      <span className="flex gap-2">
        {mine && !isClosed && lease.kind !== "run" && (
          <button type="button" className="button small release" onClick={onRelease}>
            {t("leases.release")}
          </button>
        )}
        {mayBreak && !mine && (
          <button type="button" className="button small danger break" onClick={onBreak}>
            {t(lease.silent ? "leases.reclaim" : "leases.break")}
          </button>
        )}
      </span>
      {waiters.length > 0 && (
        <p className="basis-full pl-16 text-[12.5px] text-muted max-sm:pl-0">
          {t("leases.wanted", { who: waiters.map((each) => `${each.principal} (${each.ticket})`).join(", ") })}
        </p>
      )}
    </li>
  );
}

function Waiting({ waiter, onGiveUp }: { waiter: WaitingLease; onGiveUp: () => void }) {
  return (
    <li
      className="waiter flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-4 py-3 last:border-b-0"
      data-id={waiter.ticket}
    >
      <span className="w-12 font-mono text-[12.5px] text-muted">{waiter.ticket}</span>
      <div className="min-w-0 flex-1 basis-64">
        <Names resources={waiter.resources} />
        <p className="mt-1 text-[13px] text-muted [overflow-wrap:anywhere]">
          <b className="font-medium text-ink">
            <Shown text={waiter.principal} />
          </b>{" "}
          · {t("leases.since")} <Ago at={waiter.queued_at} />
          {waiter.behind.length > 0 && ` · ${t("leases.behind", { names: waiter.behind.join(", ") })}`}
          {waiter.purpose && (
            <>
              {" · "}
              <Shown text={waiter.purpose} />
            </>
          )}
        </p>
      </div>
      <span className="chip tone-accent">{t("leases.position", { position: waiter.position })}</span>
      <span className="w-24 text-right text-[13px] text-muted" title={t("leases.estimate.text")}>
        {about(waiter.estimate_seconds)}
      </span>
      {waiter.principal === me.id && waiter.kind !== "run" && (
        <button type="button" className="button small" onClick={onGiveUp}>
          {t("leases.giveUp")}
        </button>
      )}
    </li>
  );
}
