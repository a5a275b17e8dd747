import { me } from "../boot";
import type { Button } from "../wire/frames";
import { maybe, t } from "../words";
import type { Intent } from "./choices";
import type { Entry } from "./entries";
import { DECISIONS, mySaid, whyNot } from "./standing";

const STYLES = { primary: "primary", danger: "danger", plain: "" };
const KEYS: Record<string, string> = { approve: "a", reject: "r", "request-changes": "c" };

/** The buttons that this reader may press. The hub refuses the rest all the same. */
export function live(entry: Entry): readonly Button[] {
  const said = mySaid(entry.approval, me);
  const barred = said !== undefined || whyNot(entry.approval, me) !== null;
  return (entry.card?.buttons ?? []).filter((each) => each.token !== null && !(DECISIONS.has(each.choice) && barred));
}

export function Actions({ entry, onIntent }: { entry: Entry; onIntent: (intent: Intent) => void }) {
  const { approval, pressed } = entry;
  const said = mySaid(approval, me);
  const why = approval.state === "REVIEWING" ? (maybe(`card.youSaid.${said}`) ?? whyNot(approval, me)) : null;
  const buttons = live(entry);
  if (!buttons.length && why === null) return null;
  return (
    <div className="actions flex flex-wrap items-center gap-2">
      {buttons.map((button) => (
        <button
          key={button.choice}
          type="button"
          data-choice={button.choice}
          className={`button ${STYLES[button.style]} max-md:min-h-11 max-md:flex-1`}
          disabled={pressed !== undefined}
          aria-keyshortcuts={KEYS[button.choice]}
          onClick={() => onIntent({ entry, choice: button.choice, button })}
        >
          {button.label}
          {KEYS[button.choice] && (
            <kbd aria-hidden className="font-mono text-[11px] opacity-60 max-md:hidden">
              {KEYS[button.choice]}
            </kbd>
          )}
        </button>
      ))}
      {pressed !== undefined ? (
        <p className="text-[13px] text-muted">{t("card.pressed")}</p>
      ) : (
        why !== null && <p className="why-not text-[13px] text-muted">{why}</p>
      )}
    </div>
  );
}
