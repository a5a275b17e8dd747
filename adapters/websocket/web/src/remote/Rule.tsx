import { Fragment } from "react";

import { happening } from "../activity/sentence";
import { Shown } from "../text/Shown";
import { inWords } from "../time/moments";
import type { Trigger } from "../wire/frames";
import { t } from "../words";
import { Fact, Facts } from "./Items";

/** A trigger's rule, read from top to bottom: when, if, what it asks for, as whom, and how often at most. */
export function Rule({ trigger }: { trigger: Trigger }) {
  const { limit } = trigger;
  return (
    <Facts>
      <Fact label={t("byItself.when")}>
        {trigger.on.map((name, at) => (
          <Fragment key={name}>
            {at > 0 && <span className="text-muted"> {t("triggers.or")} </span>}
            {happening(name)} <code className="text-[12.5px] text-muted">{name}</code>
          </Fragment>
        ))}
      </Fact>
      {trigger.when !== null && (
        <Fact label={t("triggers.if")}>
          <Formula text={trigger.when} />
        </Fact>
      )}
      <Fact label={t("triggers.asks")}>
        <span className="font-medium">{trigger.action}</span>
        <Params params={trigger.params} reason={trigger.reason} />
      </Fact>
      <Fact label={t("byItself.as")}>{trigger.as}</Fact>
      <Fact label={t("triggers.most")}>
        {t("triggers.rate", { count: limit.count, window: inWords(limit.seconds), deep: trigger.most_depth })}
        <span className={limit.acted >= limit.count ? "text-warn" : "text-muted"}>
          {" · "}
          {t("triggers.used", { count: limit.acted })}
        </span>
      </Fact>
    </Facts>
  );
}

function Params({ params, reason }: { params: Trigger["params"]; reason: string | null }) {
  const all = [...Object.entries(params), ...(reason === null ? [] : [[t("triggers.because"), reason] as const])];
  if (all.length === 0) return null;
  return (
    <ul className="mt-1 grid gap-1">
      {all.map(([name, value]) => (
        <li key={name} className="flex flex-wrap items-baseline gap-x-2">
          <span className="text-muted">{name}</span>
          <Formula text={String(value)} />
        </li>
      ))}
    </ul>
  );
}

function Formula({ text }: { text: string }) {
  return (
    <code className="rule">
      <Shown text={text} />
    </code>
  );
}
