import { useMutation } from "@tanstack/react-query";
import { CircleAlert, CircleCheck } from "lucide-react";
import { useId, useState } from "react";

import { show } from "../text/show";
import { Over } from "../ui/Over";
import { send } from "../wire/http";
import { look } from "../wire/hub";
import { t } from "../words";
import { entries, type Entry } from "./entries";
import { risk } from "./standing";

export type Verdict = "approve" | "reject";

interface Result {
  readonly id: string;
  readonly ok: boolean;
  readonly code?: string;
  readonly detail?: string;
  readonly state: string | null;
}

interface Props {
  readonly verdict: Verdict;
  readonly chosen: readonly Entry[];
  readonly onClose: () => void;
  readonly onDone: (decided: readonly string[]) => void;
}

/** Decide on several: each for itself, on the revision that is shown, and each answered for itself. */
export function Batch({ verdict, chosen: given, onClose, onDone }: Props) {
  // What was chosen stays what it was while it is decided, whatever arrives meanwhile.
  const [chosen] = useState(given);
  const [comment, setComment] = useState("");
  const [confirmed, setConfirmed] = useState("");
  const [wrong, setWrong] = useState("");
  const names = { comment: useId(), confirm: useId(), wrong: useId() };
  const typed = verdict === "approve" && chosen.some(({ approval }) => risk(approval) === "high");
  const deciding = useMutation({
    mutationFn: () => {
      const items = chosen.map(({ approval }) => ({ id: approval.id, digest: approval.digest }));
      const body = { verdict, items, ...(comment.trim() ? { comment: comment.trim() } : {}) };
      return send<{ items: Result[] }>("POST", "/v1/approvals/batch", { body });
    },
    onMutate: () => chosen.forEach(({ approval }) => entries.press(approval.id, verdict)),
    onError: (error) => setWrong(error.message),
    onSuccess: ({ items }) => onDone(items.filter((each) => each.ok).map((each) => each.id)),
    onSettled: () =>
      chosen.forEach(({ approval }) => {
        entries.press(approval.id, undefined);
        void look(approval.id);
      }),
  });
  const results = new Map(deciding.data?.items.map((each) => [each.id, each]));
  const done = [...results.values()].filter((each) => each.ok).length;
  const submit = () => {
    if (verdict === "reject" && !comment.trim()) setWrong(t("decide.reason.missing"));
    else if (typed && confirmed.trim() !== String(chosen.length))
      setWrong(t("batch.type.wrong", { count: chosen.length }));
    else deciding.mutate();
  };
  return (
    <Over
      title={t(`batch.title.${verdict}`, { count: chosen.length })}
      lead={results.size ? t("batch.done", { done, count: chosen.length }) : t("batch.lead")}
      onClose={onClose}
      wide
    >
      <ul className="batch my-4 grid max-h-[45dvh] gap-px overflow-auto rounded-lg border border-line" tabIndex={0}>
        {chosen.map(({ approval, card }) => {
          const result = results.get(approval.id);
          const runs = card?.fields.find((field) => field.label === "Runs")?.value;
          return (
            <li key={approval.id} data-id={approval.id} data-ok={result?.ok} className="bg-sunken px-3.5 py-2.5">
              <p className="flex items-center gap-2.5">
                <span className="font-mono text-[12px] text-muted">{approval.id}</span>
                <span className="min-w-0 flex-1 truncate font-medium">{show(approval.title)}</span>
                {result &&
                  (result.ok ? (
                    <CircleCheck size={17} className="text-good" aria-label={t("batch.ok")} />
                  ) : (
                    <CircleAlert size={17} className="text-bad" aria-label={t("batch.refused")} />
                  ))}
              </p>
              {runs !== undefined && !result && (
                <p className="mt-1 truncate font-mono text-[12px] text-muted" title={runs}>
                  $ {runs}
                </p>
              )}
              {result && !result.ok && <p className="mt-1 text-[13px] text-bad">{result.detail ?? result.code}</p>}
              {result?.ok && (
                <p className="mt-1 text-[13px] text-muted">{result.state?.replaceAll("_", " ").toLowerCase()}</p>
              )}
            </li>
          );
        })}
      </ul>
      {results.size === 0 ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            submit();
          }}
        >
          {typed && (
            <div className="mb-3">
              <label htmlFor={names.confirm} className="label mb-1 block">
                {t("batch.type", { count: chosen.length })}
              </label>
              <input
                id={names.confirm}
                className="field confirm font-mono"
                autoComplete="off"
                inputMode="numeric"
                value={confirmed}
                onChange={(event) => setConfirmed(event.target.value)}
              />
            </div>
          )}
          <label htmlFor={names.comment} className="label mb-1 block">
            {verdict === "reject" ? t("decide.reason") : t("decide.comment.maybe")}
          </label>
          <textarea
            id={names.comment}
            className="field"
            rows={2}
            maxLength={4096}
            autoFocus
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
            <button
              type="submit"
              disabled={deciding.isPending}
              className={`button primary go ${verdict === "reject" ? "danger" : ""}`}
            >
              {t(`batch.${verdict}`, { count: chosen.length })}
            </button>
          </div>
        </form>
      ) : (
        <div className="flex justify-end">
          <button type="button" className="button primary" autoFocus onClick={onClose}>
            {t("batch.close")}
          </button>
        </div>
      )}
    </Over>
  );
}
