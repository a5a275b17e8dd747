import { Code } from "../text/Code";
import { Shown } from "../text/Shown";
import { Over } from "../ui/Over";
import { Question, type Given } from "../ui/Question";
import { maybe, t } from "../words";
import { needsReason, type Intent } from "./choices";

const RED = new Set(["reject", "stop", "rollback", "resolve-failed", "override"]);
const SHOWS_EXACTLY = new Set(["approve", "apply", "rollback", "reject", "request-changes", "override"]);

interface Props {
  readonly intent: Intent;
  readonly onDo: (given: Given) => void;
  readonly onClose: () => void;
}

/** The last look before a press: what exactly it is about, and the reason where one is needed. */
export function Decide({ intent, onDo, onClose }: Props) {
  const { choice, entry, button } = intent;
  const { approval, card } = entry;
  const { id } = approval;
  const needed = needsReason(choice);
  const exactly = card?.fields.filter(
    (field) => field.code && (field.label === "Runs" || field.label === "Parameters"),
  );
  return (
    <Over title={maybe(`decide.${choice}`, { id }) ?? choice} lead={maybe(`decide.${choice}.lead`)} onClose={onClose}>
      <Question
        data-choice={choice}
        label={needed ? t("decide.reason") : t("decide.comment.maybe")}
        needed={needed}
        confirm={button?.confirm ?? null}
        go={maybe(`decide.${choice}.go`) ?? choice}
        danger={RED.has(choice)}
        onDo={onDo}
        onClose={onClose}
      >
        <div className="my-4 grid gap-3">
          <p className="font-medium [overflow-wrap:anywhere]">
            <Shown text={approval.title} />
          </p>
          {SHOWS_EXACTLY.has(choice) &&
            exactly?.map((field) => (
              <div key={field.label} className="grid gap-1">
                <span className="label">{field.label === "Runs" ? t("card.runs") : field.label}</span>
                <Code text={field.value} runs={field.label === "Runs"} />
              </div>
            ))}
          {approval.digest !== null && (
            <p className="text-[12.5px] text-muted">
              {t("decide.seen", {
                revision: approval.revision,
                digest: approval.digest.slice(0, 12),
                name: approval.requester.name,
              })}
            </p>
          )}
        </div>
      </Question>
    </Over>
  );
}
