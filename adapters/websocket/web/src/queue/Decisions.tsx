import { show } from "../text/show";
import { Shown } from "../text/Shown";
import { Ago } from "../time/Moment";
import type { Approval } from "../wire/frames";
import { t } from "../words";

const TONES = { approve: "text-good", reject: "text-bad", "request-changes": "text-warn" };

/** Who said what, where, and how strongly they were proved. */
export function Decisions({ approval }: { approval: Approval }) {
  if (approval.decisions.length === 0) return null;
  return (
    <ul className="decisions grid gap-2">
      {approval.decisions.map((each, at) => (
        <li key={at} className="[overflow-wrap:anywhere]">
          <span className="font-medium">{show(each.by.name)}</span>{" "}
          {each.on_behalf_of && <span>{t("card.onBehalf", { name: show(each.on_behalf_of.name) })} </span>}
          <span className={`font-medium ${TONES[each.verdict]}`}>{t(`said.${each.verdict}`)}</span>{" "}
          <span className="text-[13px] text-muted">
            {t("card.in", { channel: each.channel, assurance: each.assurance.replace("_", " ") })} ·{" "}
            <Ago at={each.at} />
          </span>
          {each.comment && (
            <p className="mt-0.5 border-l-2 border-line pl-3">
              <Shown text={each.comment} multiline />
            </p>
          )}
        </li>
      ))}
    </ul>
  );
}
