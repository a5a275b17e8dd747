import { Inbox } from "lucide-react";
import { useCallback, useEffect, useRef } from "react";

import { href } from "../app/route";
import { Bones } from "../ui/Bones";
import { Empty } from "../ui/Empty";
import { Onward } from "../ui/Onward";
import { useRows } from "../ui/useRows";
import { t } from "../words";
import type { Entry } from "./entries";
import { queryOf, type Filter } from "./filter";
import { Row, ROW_HEIGHT } from "./Row";
import type { Pages } from "./usePages";

interface Props {
  readonly found: readonly Entry[];
  readonly filter: Filter;
  readonly chosen: string | null;
  readonly selected: ReadonlySet<string>;
  readonly pages: Pages;
  readonly onSelect: (id: string) => void;
}

/** Rows before the end at which the next page is asked for. */
const READ_AHEAD = 50;

/** The list; only what can be seen of it is drawn. */
export function List({ found, filter, chosen, selected, pages, onSelect }: Props) {
  const keyAt = useCallback((at: number) => found[at]?.approval.id ?? at, [found]);
  const { frame, rows } = useRows(found.length, ROW_HEIGHT, keyAt);
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  const { hasFailed, more } = pages;
  useEffect(() => {
    if (last >= found.length - READ_AHEAD && !hasFailed) more();
  }, [last, found.length, hasFailed, more]);
  // Once for each that is chosen: after that the reader scrolls where they like, whatever arrives.
  const scrolled = useRef<string | null>(null);
  useEffect(() => {
    if (found.length === 0 || scrolled.current === chosen) return;
    scrolled.current = chosen;
    const at = found.findIndex((entry) => entry.approval.id === chosen);
    if (at >= 0) rows.scrollToIndex(at, { align: "auto" });
  }, [chosen, found, rows]);
  const query = queryOf(filter);
  if (found.length === 0) {
    if (pages.isLoading || (pages.edge !== null && !hasFailed)) return <Bones rows={8} height={ROW_HEIGHT} />;
    if (hasFailed) return <Onward hasFailed onRead={more} />;
    const which = filter.words ? "filtered" : filter.view;
    return (
      <Empty icon={<Inbox size={32} />} title={t(`queue.empty.${which}`)}>
        {t(`queue.empty.${which}.text`)}
      </Empty>
    );
  }
  return (
    <div
      ref={frame}
      className="list min-h-0 flex-1 overflow-auto"
      role="region"
      aria-label={t("queue.list")}
      tabIndex={-1}
    >
      <div className="relative" style={{ height: rows.getTotalSize() }}>
        {shown.map((row) => {
          const entry = found[row.index] as Entry;
          return (
            <div
              key={row.key}
              className="absolute inset-x-0 top-0 contain-layout contain-size"
              style={{ height: ROW_HEIGHT, transform: `translateY(${row.start}px)` }}
            >
              <Row
                entry={entry}
                chosen={entry.approval.id === chosen}
                selected={selected.has(entry.approval.id)}
                link={href({ room: "queue", approval: entry.approval.id, query })}
                onSelect={onSelect}
              />
            </div>
          );
        })}
      </div>
      {(pages.edge !== null || hasFailed) && <Onward hasFailed={hasFailed} onRead={more} />}
    </div>
  );
}
