import { CircleAlert, CircleCheck } from "lucide-react";

import { show } from "../text/show";
import { t } from "../words";
import type { Entry } from "./entries";
import { wordOf } from "./StateChip";

/** What became of one of several. */
export interface Result {
  readonly id: string;
  readonly ok: boolean;
  readonly code?: string;
  readonly detail?: string;
  readonly state: string | null;
}

interface Props {
  readonly entry: Entry;
  readonly result: Result | undefined;
  /** What was typed so far, where its id has to be. */
  readonly typed?: string;
  /** Whether it is the first such one. */
  readonly first?: boolean;
  readonly onType?: (text: string) => void;
}

/** One of several that are decided together: what runs, what has to be typed, and what became of it. */
export function BatchRow({ entry: { approval, card }, result, typed, first = false, onType }: Props) {
  const { id } = approval;
  const runs = card?.fields.find((field) => field.label === "Runs")?.value;
  return (
    <li data-id={id} data-ok={result?.ok} className="bg-sunken px-3.5 py-2.5">
      <p className="flex items-center gap-2.5">
        <span className="font-mono text-[12px] text-muted">{id}</span>
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
      {onType && !result && (
        <input
          className="field confirm mt-2 max-w-64 font-mono"
          aria-label={t("decide.type", { id })}
          placeholder={t("batch.type", { id })}
          autoComplete="off"
          autoCapitalize="characters"
          spellCheck={false}
          autoFocus={first}
          maxLength={64}
          value={typed}
          onChange={(event) => onType(event.target.value)}
        />
      )}
      {result && !result.ok && <p className="mt-1 text-[13px] text-bad">{result.detail ?? result.code}</p>}
      {result?.ok && <p className="mt-1 text-[13px] text-muted">{result.state && wordOf(result.state)}</p>}
    </li>
  );
}
