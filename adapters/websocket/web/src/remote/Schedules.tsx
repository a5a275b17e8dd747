import { useMutation, useQueryClient } from "@tanstack/react-query";
import { CalendarClock } from "lucide-react";

import { href } from "../app/route";
import { toast } from "../app/toasts";
import { me } from "../boot";
import { Shown } from "../text/Shown";
import { Ago, Left } from "../time/Moment";
import { Empty } from "../ui/Empty";
import type { Schedule } from "../wire/frames";
import { send } from "../wire/http";
import { command } from "../wire/hub";
import { t } from "../words";

/** What gives its command at its times: when next, what became of the last, and holding it back. */
export function Schedules({ schedules }: { schedules: readonly Schedule[] }) {
  if (schedules.length === 0) {
    return (
      <div className="flex-1">
        <Empty icon={<CalendarClock size={32} />} title={t("schedules.empty")}>
          {t("schedules.empty.text")}
        </Empty>
      </div>
    );
  }
  return (
    <div className="min-h-0 flex-1 overflow-auto">
      <ul className="mx-auto my-5 max-w-5xl overflow-hidden rounded-xl border border-line bg-surface max-md:mx-4">
        {schedules.map((each) => (
          <Line key={each.id} schedule={each} />
        ))}
      </ul>
    </div>
  );
}

function Line({ schedule }: { schedule: Schedule }) {
  const queries = useQueryClient();
  const acting = useMutation({
    mutationFn: async (what: "pause" | "unpause" | "fire" | "end") => {
      if (what === "fire") await send("POST", `/v1/schedules/${schedule.id}/fire`, {});
      else if (what !== "end")
        await send("PATCH", `/v1/schedules/${schedule.id}`, { body: { paused: what === "pause" } });
      else {
        const reply = await command(`unschedule ${schedule.id}`);
        if (!reply.ok) throw new Error(reply.text);
      }
    },
    onError: (error) => toast({ kind: "bad", text: error.message }),
    onSuccess: (_, what) => what === "fire" && toast({ kind: "good", text: t("schedules.fired", { id: schedule.id }) }),
    onSettled: () => queries.invalidateQueries({ queryKey: ["schedules"] }),
  });
  const isPaused = schedule.state === "paused";
  const last = schedule.last;
  return (
    <li
      className="schedule flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-4 py-3 last:border-b-0"
      data-id={schedule.id}
      data-state={schedule.state}
    >
      <span className="w-12 font-mono text-[12.5px] text-muted">{schedule.id}</span>
      <div className="min-w-0 flex-1 basis-64">
        <p className="font-medium [overflow-wrap:anywhere]">
          <Shown text={schedule.title} />
        </p>
        <p className="text-[13px] text-muted">
          {schedule.cron !== null && (
            <>
              <code>{schedule.cron}</code> {schedule.timezone} ·{" "}
            </>
          )}
          {t("schedules.as", { owner: schedule.owner })}
          {last && (
            <>
              {" · "}
              {t("schedules.last")} <Ago at={last.at} />:{" "}
              {last.approval === null ? (
                last.code
              ) : (
                <a className="text-accent hover:underline" href={href({ room: "queue", approval: last.approval })}>
                  {last.approval} {last.state?.toLowerCase()}
                </a>
              )}
            </>
          )}
        </p>
      </div>
      <span className="text-right text-[13px]" title={schedule.next_said ?? undefined}>
        {isPaused ? (
          <span className="chip tone-warn">{t("schedules.paused")}</span>
        ) : (
          schedule.next_at && (
            <>
              {t("schedules.next")} <Left until={schedule.next_at} />
            </>
          )
        )}
      </span>
      {schedule.owner === me.id && (
        <span className="flex gap-2">
          <button
            type="button"
            className="button small fire"
            disabled={acting.isPending}
            onClick={() => acting.mutate("fire")}
          >
            {t("schedules.fire")}
          </button>
          <button
            type="button"
            className="button small hold"
            disabled={acting.isPending}
            onClick={() => acting.mutate(isPaused ? "unpause" : "pause")}
          >
            {isPaused ? t("schedules.unpause") : t("schedules.pause")}
          </button>
          <button
            type="button"
            className="button small danger end"
            disabled={acting.isPending}
            onClick={() => acting.mutate("end")}
          >
            {t("schedules.end")}
          </button>
        </span>
      )}
    </li>
  );
}
