import { useQuery } from "@tanstack/react-query";
import { CircleAlert, CircleCheck, CircleMinus, CirclePause } from "lucide-react";
import type { ReactNode } from "react";

import { EntryWords } from "../activity/Entry";
import { Code } from "../text/Code";
import { Shown } from "../text/Shown";
import { show } from "../text/show";
import { Ago } from "../time/Moment";
import type { Event, Rehearsal } from "../wire/frames";
import { get, type Page } from "../wire/http";
import { maybe, t } from "../words";

const SIGNS = { good: CircleCheck, warn: CirclePause, bad: CircleAlert, plain: CircleMinus };

/** What came of trying a trigger: what it would ask for, or why it would not. */
export function Would({ rehearsal, when }: { rehearsal: Rehearsal; when: string | null }) {
  const [tone, verdict] = verdictOf(rehearsal);
  const Sign = SIGNS[tone];
  return (
    <div className={`would grid gap-3 tone-${tone}`} data-tone={tone}>
      {rehearsal.seq !== null && <On seq={rehearsal.seq} />}
      <p className="flex gap-2.5 font-medium">
        <Sign size={19} aria-hidden className="mt-px shrink-0 text-(--tone)" />
        <span className="min-w-0 [overflow-wrap:anywhere]">{verdict}</span>
      </p>
      {rehearsal.looks && !rehearsal.matches && rehearsal.error === null && when !== null && <Code text={when} />}
      <Asked rehearsal={rehearsal} />
    </div>
  );
}

type Tone = keyof typeof SIGNS;

function verdictOf(found: Rehearsal): [Tone, ReactNode] {
  if (!found.looks) return ["plain", t("would.looks", { event: found.event })];
  if (found.error !== null)
    return [
      "bad",
      <>
        {t("would.error")} <Shown text={found.error} />
      </>,
    ];
  if (!found.matches) return ["plain", t("would.matches")];
  if (found.held_back !== null) return ["warn", maybe(`would.held.${found.held_back}`) ?? found.held_back];
  if (found.refused !== null)
    return [
      "bad",
      <>
        {t("would.refused", { as: found.as })} <Shown text={found.refused.message} />
      </>,
    ];
  return ["good", t("would.asks", { as: found.as })];
}

/** The request that it would make. */
function Asked({ rehearsal: { request, title, policy, allowed } }: { rehearsal: Rehearsal }) {
  if (request === null) return null;
  const params = Object.entries(request.params).map(([name, value]) => `${name} = ${setting(value)}`);
  return (
    <div className="grid gap-2 rounded-xl border border-line bg-sunken px-4 py-3">
      <p className="font-medium [overflow-wrap:anywhere]">{title === null ? request.action : <Shown text={title} />}</p>
      {params.length > 0 && (
        <pre className="whitespace-pre-wrap font-mono text-[12.5px] leading-relaxed [overflow-wrap:anywhere]">
          {show(params.join("\n"), true)}
        </pre>
      )}
      {request.reason !== null && (
        <p className="border-l-2 border-line pl-3 text-[13.5px] text-muted [overflow-wrap:anywhere]">
          <Shown text={request.reason} />
        </p>
      )}
      {policy !== null && (
        <p className="text-[13px] text-muted">{t(allowed ? "would.allowed" : "would.policy", { policy })}</p>
      )}
    </div>
  );
}

function setting(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The entry that it was tried on, as this reader may see it. */
function On({ seq }: { seq: number }) {
  const found = useQuery({
    queryKey: ["entry", seq],
    queryFn: () => get<Page<Event>>(`/v1/events?after=${seq - 1}&limit=1`),
    staleTime: Infinity,
  });
  const event = found.data?.items.find((each) => each.seq === seq);
  return (
    <div className="flex min-h-6 flex-wrap items-baseline gap-x-2.5 text-[13.5px]">
      <span className="font-mono text-[12.5px] text-muted">{t("rehearse.seq", { seq })}</span>
      {event && (
        <>
          <span className="min-w-0">
            <EntryWords event={event} />
          </span>
          <span className="text-[13px] text-muted">
            <Ago at={event.ts} />
          </span>
        </>
      )}
    </div>
  );
}
