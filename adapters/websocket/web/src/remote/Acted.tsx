import { useState } from "react";

import { Shown } from "../text/Shown";
import { Ago } from "../time/Moment";
import type { Firing, HeldBack, Trigger } from "../wire/frames";
import { maybe, t } from "../words";
import { Outcome } from "./Outcome";

const MOST_AT_FIRST = 3;

type Past = { readonly at: string; readonly occasion: string } & (
  { readonly fired: Firing } | { readonly held: HeldBack }
);

interface Props {
  readonly trigger: Trigger;
  readonly onTry?: (seq: number) => void;
}

/** What came of a trigger last: the requests that it made, and why it was held back, newest first. */
export function Acted({ trigger, onTry }: Props) {
  const [whole, setWhole] = useState(false);
  const past = pastOf(trigger);
  const shown = whole ? past : past.slice(0, MOST_AT_FIRST);
  return (
    <div className="acted min-w-0 max-lg:border-t max-lg:border-line/70 max-lg:pt-2.5 lg:border-l lg:border-line/70 lg:pl-5">
      <h3 className="label mb-1">{t("triggers.lately")}</h3>
      {past.length === 0 ? (
        <p className="text-[13.5px] text-muted">{t("triggers.never")}</p>
      ) : (
        <ul className="grid text-[13.5px]">
          {shown.map((each) => (
            <Line key={`${each.at} ${each.occasion}`} past={each} {...(onTry ? { onTry } : {})} />
          ))}
        </ul>
      )}
      {past.length > shown.length && (
        <button type="button" className="more !ml-0 mt-1 text-[13px]" onClick={() => setWhole(true)}>
          {t("triggers.more", { count: past.length - shown.length })}
        </button>
      )}
    </div>
  );
}

function Line({ past, onTry }: { past: Past; onTry?: (seq: number) => void }) {
  return (
    <li className="flex flex-wrap items-baseline gap-x-3 gap-y-0.5 py-1" data-held={"held" in past || undefined}>
      <span className="min-w-0 flex-1 basis-44">
        {"fired" in past ? <Outcome {...past.fired} /> : <Reason held={past.held} />}
      </span>
      <span className="text-[13px] text-muted">
        <Ago at={past.at} />, <Occasion occasion={past.occasion} {...(onTry ? { onTry } : {})} />
      </span>
    </li>
  );
}

function Reason({ held }: { held: HeldBack }) {
  return (
    <span className="text-warn">
      {maybe(`triggers.held.${held.why}`) ?? held.why}
      {held.count > 1 && ` · ${t("triggers.times", { count: held.count })}`}
      {held.message !== null && (
        <span className="text-muted [overflow-wrap:anywhere]">
          {": "}
          <Shown text={held.message} />
        </span>
      )}
    </span>
  );
}

/** What it acted on: an entry of the log, on which it can be tried again, or a message to a hook. */
function Occasion({ occasion, onTry }: { occasion: string; onTry?: (seq: number) => void }) {
  const seq = /^\d+$/.test(occasion) ? Number(occasion) : null;
  if (seq === null) return <>{t("triggers.onMessage")}</>;
  const words = t("triggers.onEntry", { seq });
  if (!onTry) return <>{words}</>;
  return (
    <button
      type="button"
      className="rounded underline decoration-muted/50 underline-offset-2 hover:text-ink"
      title={t("triggers.tryOn", { seq })}
      onClick={() => onTry(seq)}
    >
      {words}
    </button>
  );
}

function pastOf({ last, held }: Trigger): Past[] {
  const all: Past[] = [
    ...last.map((fired) => ({ at: fired.at, occasion: fired.occasion, fired })),
    ...held.map((each) => ({ at: each.at, occasion: each.occasion, held: each })),
  ];
  return all.sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
}
