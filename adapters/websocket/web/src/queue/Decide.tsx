import { useId, useRef, useState } from "react";

import { Code } from "../text/Code";
import { Shown } from "../text/Shown";
import { Over } from "../ui/Over";
import { maybe, t } from "../words";
import { needsReason, type Intent } from "./choices";
import { risk } from "./standing";

const RED = new Set(["reject", "stop", "rollback", "resolve-failed", "override"]);
const SHOWS_EXACTLY = new Set(["approve", "apply", "rollback", "reject", "request-changes", "override"]);

/** The last look before a press: what exactly it is about, and the reason where one is needed. */
export function Decide({
  intent,
  onDo,
  onClose,
}: {
  intent: Intent;
  onDo: (comment: string) => void;
  onClose: () => void;
}) {
  const { choice, entry } = intent;
  const { approval, card } = entry;
  const { id } = approval;
  const needed = needsReason(choice);
  const typed = choice === "approve" && risk(approval) === "high";
  const [comment, setComment] = useState("");
  const [confirmed, setConfirmed] = useState("");
  const [wrong, setWrong] = useState("");
  const box = useRef<HTMLTextAreaElement>(null);
  const names = { comment: useId(), confirm: useId(), wrong: useId() };

  const submit = () => {
    if (needed && !comment.trim()) {
      setWrong(t("decide.reason.missing"));
      box.current?.focus();
    } else if (typed && confirmed.trim().toUpperCase() !== id) {
      setWrong(t("decide.type.wrong", { id }));
    } else {
      onDo(comment.trim());
    }
  };
  const exactly = card?.fields.filter(
    (field) => field.code && (field.label === "Runs" || field.label === "Parameters"),
  );
  return (
    <Over
      title={`${maybe(`decide.${choice}`, { id }) ?? choice}`}
      lead={maybe(`decide.${choice}.lead`)}
      onClose={onClose}
    >
      <form
        className="decide"
        data-choice={choice}
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
        }}
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
        {typed && (
          <div className="mb-3">
            <label htmlFor={names.confirm} className="label mb-1 block">
              {t("decide.type", { id })}
            </label>
            <input
              id={names.confirm}
              className="field confirm font-mono"
              autoComplete="off"
              autoFocus
              value={confirmed}
              onChange={(event) => setConfirmed(event.target.value)}
            />
          </div>
        )}
        <label htmlFor={names.comment} className="label mb-1 block">
          {needed ? t("decide.reason") : t("decide.comment.maybe")}
        </label>
        <textarea
          id={names.comment}
          ref={box}
          className="field"
          rows={needed ? 3 : 2}
          maxLength={4096}
          autoFocus={!typed}
          value={comment}
          aria-describedby={names.wrong}
          onChange={(event) => setComment(event.target.value)}
        />
        <p id={names.wrong} role="alert" className="wrong mt-1 min-h-5 text-[13px] text-bad">
          {wrong}
        </p>
        <div className="mt-2 flex justify-end gap-2">
          <button type="button" className="button" onClick={onClose}>
            {t("app.cancel")}
          </button>
          <button type="submit" className={`button primary go ${RED.has(choice) ? "danger" : ""}`}>
            {maybe(`decide.${choice}.go`) ?? choice}
          </button>
        </div>
      </form>
    </Over>
  );
}
