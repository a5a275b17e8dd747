import { MousePointerClick, X } from "lucide-react";
import { useCallback, useMemo, useRef, useState } from "react";

import { useKeys } from "../app/keys";
import { go, href, useRoute } from "../app/route";
import { me } from "../boot";
import { useValue } from "../store";
import { Empty } from "../ui/Empty";
import { t } from "../words";
import { live } from "./Actions";
import { perform, type Intent } from "./choices";
import { Decide } from "./Decide";
import { Detail } from "./Detail";
import { Batch, type Verdict } from "./Batch";
import { Edit } from "./Edit";
import { entries, type Entry } from "./entries";
import { filterOf, queryOf, select, VIEWS, type Filter, type View } from "./filter";
import { List } from "./List";
import { waitsFor } from "./standing";
import { useCount } from "./useCount";
import { usePages } from "./usePages";

const NONE: ReadonlySet<string> = new Set();

/** Requests: the list of a view, and beside it the one that is looked at. */
export function Queue() {
  const { approval: chosen, query } = useRoute();
  const filter = useMemo(() => filterOf(query), [query]);
  const all = useValue(entries);
  const pages = usePages(filter.view);
  const found = useMemo(
    () => (pages.isLoading ? [] : select(all, filter, me, pages.edge)),
    [all, filter, pages.isLoading, pages.edge],
  );
  const [selected, setSelected] = useState(NONE);
  const [intent, setIntent] = useState<Intent | null>(null);
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const [editing, setEditing] = useState<string | null>(null);
  const search = useRef<HTMLInputElement>(null);
  const place = useRef(0);

  const toggle = useCallback(
    (id: string) =>
      setSelected((before) => {
        const after = new Set(before);
        if (!after.delete(id)) after.add(id);
        return after;
      }),
    [],
  );
  const batch = useMemo(
    () =>
      [...selected]
        .map((id) => all.get(id))
        .filter((each): each is Entry => each !== undefined && waitsFor(each.approval, me)),
    [selected, all],
  );
  const edited = editing === null ? undefined : all.get(editing)?.approval;
  const at = found.findIndex((entry) => entry.approval.id === chosen);
  if (at >= 0) place.current = at;
  const move = (step: number) => {
    // Where the chosen one left the list, its place is taken by the next.
    const next = at >= 0 ? at + step : chosen !== null && step > 0 ? place.current : step > 0 ? 0 : place.current - 1;
    const entry = found[Math.max(0, Math.min(found.length - 1, next))];
    if (entry) go({ room: "queue", approval: entry.approval.id, query: queryOf(filter) });
  };
  const press = (choice: string) => {
    const entry = chosen === null ? undefined : all.get(chosen);
    const button = entry && live(entry).find((each) => each.choice === choice);
    if (entry && button) setIntent({ entry, choice, button });
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    a: () => press("approve"),
    r: () => press("reject"),
    c: () => press("request-changes"),
    x: () => chosen !== null && toggle(chosen),
    o: () => chosen !== null && location.assign(`/approvals/${chosen}`),
    "/": () => search.current?.focus(),
    Escape: () => chosen !== null && go({ room: "queue", query: queryOf(filter) }),
  });
  return (
    <div className="flex h-full min-h-0">
      <section
        className={`flex min-h-0 w-full flex-col border-line bg-surface lg:w-[400px] lg:shrink-0 lg:border-r xl:w-[440px] ${
          chosen !== null ? "max-lg:hidden" : ""
        }`}
      >
        <h1 className="sr-only">{t("queue.title")}</h1>
        <Filters filter={filter} search={search} />
        {selected.size > 0 && <Chosen count={batch.length} onVerdict={setVerdict} onClear={() => setSelected(NONE)} />}
        <List
          key={`${filter.view} ${filter.words}`}
          found={found}
          filter={filter}
          chosen={chosen}
          selected={selected}
          pages={pages}
          onSelect={toggle}
        />
      </section>
      <section
        className={`min-h-0 min-w-0 flex-1 overflow-auto ${chosen === null ? "max-lg:hidden" : ""}`}
        tabIndex={-1}
      >
        {chosen !== null ? (
          <Detail
            key={chosen}
            id={chosen}
            back={href({ room: "queue", query: queryOf(filter) })}
            onIntent={setIntent}
            onEdit={setEditing}
          />
        ) : (
          <Empty icon={<MousePointerClick size={32} />} title={t("queue.choose")}>
            {t("queue.choose.text")}
          </Empty>
        )}
      </section>
      {verdict && (
        <Batch
          verdict={verdict}
          chosen={batch}
          onClose={() => setVerdict(null)}
          onDone={(ids) => setSelected((before) => new Set([...before].filter((id) => !ids.includes(id))))}
        />
      )}
      {edited && <Edit approval={edited} onClose={() => setEditing(null)} />}
      {intent && (
        <Decide
          intent={intent}
          onClose={() => setIntent(null)}
          onDo={(given) => {
            setIntent(null);
            void perform(intent, given);
          }}
        />
      )}
    </div>
  );
}

function Chosen({
  count,
  onVerdict,
  onClear,
}: {
  count: number;
  onVerdict: (verdict: Verdict) => void;
  onClear: () => void;
}) {
  return (
    <div className="chosen flex items-center gap-2 border-b border-line bg-accent/8 px-4 py-2">
      <span className="flex-1 text-[13px] font-medium">{t("queue.selected", { count })}</span>
      <button type="button" className="button small" onClick={onClear}>
        {t("batch.clear")}
      </button>
      <button type="button" className="button small danger" disabled={!count} onClick={() => onVerdict("reject")}>
        {t("decide.reject.go")}…
      </button>
      <button type="button" className="button small primary" disabled={!count} onClick={() => onVerdict("approve")}>
        {t("decide.approve.go")}…
      </button>
    </div>
  );
}

function Filters({ filter, search }: { filter: Filter; search: React.RefObject<HTMLInputElement | null> }) {
  const counts: Partial<Record<View, string>> = { mine: useCount("mine"), open: useCount("open") };
  const set = (change: Partial<Filter>, replace: boolean) =>
    go({ room: "queue", query: queryOf({ ...filter, ...change }) }, replace);
  return (
    <div className="border-b border-line">
      <nav aria-label={t("queue.title")} className="flex gap-1 overflow-x-auto px-3 pt-3">
        {VIEWS.map((view) => {
          const count = counts[view];
          return (
            <a
              key={view}
              href={href({ room: "queue", query: queryOf({ ...filter, view }) })}
              aria-current={filter.view === view ? "page" : undefined}
              data-view={view}
              className="flex min-h-8 items-center gap-1.5 whitespace-nowrap rounded-lg px-2.5 text-[13px] font-medium text-muted hover:text-ink aria-[current]:bg-muted/15 aria-[current]:text-ink"
            >
              {t(`view.${view}`)}
              {count && <span className="count text-[12px] text-muted">{count}</span>}
            </a>
          );
        })}
      </nav>
      <div className="relative p-3">
        <input
          ref={search}
          type="text"
          className="field pr-9 text-[13px]"
          placeholder={t("queue.filter")}
          aria-label={t("queue.filter")}
          value={filter.words}
          onChange={(event) => set({ words: event.target.value }, true)}
          onKeyDown={(event) => {
            if (event.key === "Escape") event.currentTarget.blur();
          }}
        />
        {filter.words && (
          <button
            type="button"
            className="icon-button absolute right-3.5 top-3.5"
            aria-label={t("queue.filter.clear")}
            onClick={() => set({ words: "" }, true)}
          >
            <X size={15} />
          </button>
        )}
      </div>
    </div>
  );
}
