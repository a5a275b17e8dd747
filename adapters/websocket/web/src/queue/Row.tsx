import { memo } from "react";

import { show } from "../text/show";
import { Ago, Left } from "../time/Moment";
import { t } from "../words";
import type { Entry } from "./entries";
import { StateChip } from "./StateChip";
import { deadline } from "./standing";

export const ROW_HEIGHT = 74;

interface Props {
  readonly entry: Entry;
  readonly chosen: boolean;
  readonly selected: boolean;
  readonly link: string;
  readonly onSelect: (id: string) => void;
}

/** One line of the list. */
export const Row = memo(function Row({ entry: { approval, pressed }, chosen, selected, link, onSelect }: Props) {
  const until = deadline(approval);
  const seats = approval.requirements;
  return (
    <div
      className={`row group relative flex h-full items-stretch border-b border-line ${
        chosen ? "bg-accent/12" : "hover:bg-muted/7"
      }`}
      data-id={approval.id}
      data-state={approval.state}
      data-chosen={chosen || undefined}
    >
      {chosen && <i aria-hidden className="absolute inset-y-0 left-0 w-[3px] bg-accent" />}
      <label className="flex w-10 shrink-0 cursor-pointer items-start justify-center pt-[15px]">
        <input
          type="checkbox"
          className="size-4 accent-(--accent)"
          checked={selected}
          onChange={() => onSelect(approval.id)}
          aria-label={t("queue.select", { id: approval.id })}
        />
      </label>
      <a href={link} className="min-w-0 flex-1 py-2.5 pr-4" aria-current={chosen ? "true" : undefined}>
        <span className="flex items-center gap-2">
          <span className="min-w-0 flex-1 truncate font-medium">{show(approval.title)}</span>
          <StateChip approval={approval} />
        </span>
        <span className="mt-1 flex items-center gap-2 text-[12.5px] text-muted">
          <span className="font-mono text-[12px]">{approval.id}</span>
          <span className="min-w-0 flex-1 truncate">
            {show(approval.requester.name)} · <Ago at={approval.created_at} />
          </span>
          {pressed !== undefined ? (
            <span>{t("card.pressed")}</span>
          ) : (
            <>
              {approval.state === "REVIEWING" && seats.length > 0 && (
                <span title={seats.map((each) => `${each.have}/${each.count} ${each.group ?? each.person}`).join(", ")}>
                  {seats.reduce((sum, each) => sum + each.have, 0)}/{seats.reduce((sum, each) => sum + each.count, 0)}
                </span>
              )}
              {until !== null && <Left until={until} />}
            </>
          )}
        </span>
      </a>
    </div>
  );
});
