import { useVirtualizer } from "@tanstack/react-virtual";
import { Inbox } from "lucide-react";
import { useEffect, useRef } from "react";

import { href } from "../app/route";
import { Bones } from "../ui/Bones";
import { Empty } from "../ui/Empty";
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

/** The list; only what can be seen of it is drawn. */
export function List({ found, filter, chosen, selected, pages, onSelect }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: found.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (at) => found[at]?.approval.id ?? at,
    overscan: 8,
  });
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= found.length - 20) pages.more();
  }, [last, found.length, pages]);
  const at = found.findIndex((entry) => entry.approval.id === chosen);
  useEffect(() => {
    if (at >= 0) rows.scrollToIndex(at, { align: "auto" });
  }, [at, rows]);
  const query = queryOf(filter);
  if (found.length === 0) {
    if (pages.isLoading) return <Bones rows={8} height={ROW_HEIGHT} />;
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
              className="absolute inset-x-0 top-0"
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
      {pages.isLoadingMore && <p className="py-3 text-center text-[13px] text-muted">{t("queue.more")}</p>}
    </div>
  );
}
