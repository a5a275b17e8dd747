import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

import { Over } from "../ui/Over";
import { isSame, Question } from "../ui/Question";
import { send } from "../wire/http";
import { look } from "../wire/hub";
import { t } from "../words";
import { BatchRow, type Result } from "./BatchRow";
import { entries, type Entry } from "./entries";

export type Verdict = "approve" | "reject";

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
  const [typed, setTyped] = useState<Readonly<Record<string, string>>>({});
  const [wrong, setWrong] = useState<string>();
  const toType = chosen.filter(({ approval }) => verdict === "approve" && approval.confirm === "typed");
  const deciding = useMutation({
    mutationFn: (comment: string) => {
      const items = chosen.map(({ approval: { id, digest } }) => {
        const confirm = typed[id]?.trim();
        return { id, digest, ...(confirm ? { confirm } : {}) };
      });
      const body = { verdict, items, ...(comment ? { comment } : {}) };
      return send<{ items: Result[] }>("POST", "/v1/approvals/batch", { body });
    },
    onMutate: () => chosen.forEach(({ approval }) => entries.press(approval.id, verdict)),
    onSuccess: ({ items }) => onDone(items.filter((each) => each.ok).map((each) => each.id)),
    onSettled: () =>
      chosen.forEach(({ approval }) => {
        entries.press(approval.id, undefined);
        void look(approval.id);
      }),
  });
  const results = new Map(deciding.data?.items.map((each) => [each.id, each]));
  const done = [...results.values()].filter((each) => each.ok).length;
  const decide = (comment: string) => {
    const missing = toType.find(({ approval: { id } }) => !isSame(typed[id] ?? "", id));
    setWrong(missing && t("decide.type.missing", { id: missing.approval.id }));
    if (!missing) deciding.mutate(comment);
  };
  return (
    <Over
      title={t(`batch.title.${verdict}`, { count: chosen.length })}
      lead={results.size ? t("batch.done", { done, count: chosen.length }) : t("batch.lead")}
      onClose={onClose}
      wide
    >
      <ul className="batch my-4 grid max-h-[45dvh] gap-px overflow-auto rounded-lg border border-line" tabIndex={0}>
        {chosen.map((entry) => (
          <BatchRow
            key={entry.approval.id}
            entry={entry}
            result={results.get(entry.approval.id)}
            {...(toType.includes(entry) && {
              first: entry === toType[0],
              typed: typed[entry.approval.id] ?? "",
              onType: (text: string) => setTyped((before) => ({ ...before, [entry.approval.id]: text })),
            })}
          />
        ))}
      </ul>
      {results.size === 0 ? (
        <Question
          label={verdict === "reject" ? t("decide.reason") : t("decide.comment.maybe")}
          needed={verdict === "reject"}
          go={t(`batch.${verdict}`, { count: chosen.length })}
          danger={verdict === "reject"}
          busy={deciding.isPending}
          eager={toType.length === 0}
          error={wrong ?? deciding.error?.message}
          onDo={({ comment }) => decide(comment)}
          onClose={onClose}
        />
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
