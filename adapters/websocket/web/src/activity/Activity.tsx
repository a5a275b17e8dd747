import { ActivityIcon, Pause, Play } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { useKeys } from "../app/keys";
import { go, href, useRoute } from "../app/route";
import { useValue } from "../store";
import { Bones } from "../ui/Bones";
import { Empty } from "../ui/Empty";
import { Onward } from "../ui/Onward";
import { useRows } from "../ui/useRows";
import { t } from "../words";
import { Aside } from "./Aside";
import { Entry, ENTRY_HEIGHT } from "./Entry";
import { feed } from "./feed";
import { FAMILIES, filterOf, queryOf, select, type Filter } from "./filter";
import { usePast, type Past } from "./usePast";

/** The log as it grows, newest first. Paused, it stands still and says how much came since. */
export default function Activity() {
  const { query } = useRoute();
  const filter = useMemo(() => filterOf(query), [query]);
  const all = useValue(feed);
  const past = usePast();
  const [stopped, setStopped] = useState<number | null>(null);
  const [ends, setEnds] = useState<readonly [number, number] | null>(null);
  const search = useRef<HTMLInputElement>(null);
  const found = useMemo(() => select(all, filter), [all, filter]);
  const shown = useMemo(
    () => (stopped === null ? found : found.filter((each) => each.seq <= stopped)).toReversed(),
    [found, stopped],
  );
  const chosen = useMemo(
    () => (ends === null ? [] : shown.filter((each) => each.seq >= ends[0] && each.seq <= ends[1]).toReversed()),
    [shown, ends],
  );
  const latest = all.at(-1)?.seq ?? feed.from;
  const pause = () => setStopped(stopped === null ? latest : null);
  useKeys({
    "/": () => search.current?.focus(),
    p: pause,
    Escape: () => setEnds(null),
  });
  const choose = (seq: number, extend: boolean) =>
    setEnds((before) =>
      extend && before !== null
        ? [Math.min(before[0], seq), Math.max(before[1], seq)]
        : before?.[0] === seq && before[1] === seq
          ? null
          : [seq, seq],
    );
  return (
    <div className="flex h-full flex-col">
      <Bar
        filter={filter}
        search={search}
        isPaused={stopped !== null}
        since={stopped === null ? 0 : found.filter((each) => each.seq > stopped).length}
        onPause={pause}
      />
      <div className="flex min-h-0 flex-1 max-lg:flex-col">
        <Entries
          key={`${filter.family} ${filter.words}`}
          shown={shown}
          past={past}
          isFiltered={found !== all}
          ends={ends}
          onChoose={choose}
        />
        {chosen.length > 0 && <Aside events={chosen} onClose={() => setEnds(null)} />}
      </div>
    </div>
  );
}

interface BarProps {
  readonly filter: Filter;
  readonly search: React.RefObject<HTMLInputElement | null>;
  readonly isPaused: boolean;
  readonly since: number;
  readonly onPause: () => void;
}

function Bar({ filter, search, isPaused, since, onPause }: BarProps) {
  const set = (change: Partial<Filter>) => queryOf({ ...filter, ...change });
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-line bg-surface px-4 py-2.5 md:px-6">
      <h1 className="text-base font-semibold">{t("activity.title")}</h1>
      <nav aria-label={t("activity.families")} className="flex min-w-0 gap-0.5 overflow-x-auto">
        {(["", ...FAMILIES] as const).map((family) => (
          <a
            key={family}
            href={href({ room: "activity", query: set({ family }) })}
            aria-current={filter.family === family ? "page" : undefined}
            className="flex min-h-8 items-center whitespace-nowrap rounded-lg px-2.5 text-[13px] font-medium text-muted hover:text-ink aria-[current]:bg-muted/15 aria-[current]:text-ink"
          >
            {t(`family.${family || "all"}`)}
          </a>
        ))}
      </nav>
      <input
        ref={search}
        className="field min-w-44 flex-1 text-[13px]"
        placeholder={t("activity.filter")}
        aria-label={t("activity.filter")}
        value={filter.words}
        onChange={(event) => go({ room: "activity", query: set({ words: event.target.value }) }, true)}
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur();
        }}
      />
      <button type="button" className="button pause" aria-pressed={isPaused} onClick={onPause}>
        {isPaused ? <Play size={15} aria-hidden /> : <Pause size={15} aria-hidden />}
        {isPaused ? t("activity.resume") : t("activity.pause")}
        {since > 0 && <span className="since rounded-full bg-accent px-1.5 text-[11px] text-on-accent">{since}</span>}
      </button>
    </div>
  );
}

/** Rows before the end at which earlier entries are asked for. */
const READ_AHEAD = 100;

interface EntriesProps {
  readonly shown: ReturnType<typeof select>;
  readonly past: Past;
  readonly isFiltered: boolean;
  readonly ends: readonly [number, number] | null;
  readonly onChoose: (seq: number, extend: boolean) => void;
}

function Entries({ shown, past, isFiltered, ends, onChoose }: EntriesProps) {
  const keyAt = useCallback((at: number) => shown[at]?.seq ?? "end", [shown]);
  const { frame, rows } = useRows(shown.length + 1, ENTRY_HEIGHT, keyAt);
  const drawn = rows.getVirtualItems();
  const isNearEnd = (drawn.at(-1)?.index ?? 0) >= shown.length - READ_AHEAD;
  const { hasEarlier, hasFailed, isReading, readEarlier } = past;
  useEffect(() => {
    if (isNearEnd && hasEarlier && !hasFailed && !isReading) readEarlier();
  }, [isNearEnd, hasEarlier, hasFailed, isReading, readEarlier]);
  if (shown.length === 0) {
    if (hasEarlier && !hasFailed) return <Bones rows={12} height={ENTRY_HEIGHT} />;
    return (
      <div className="flex-1">
        <Empty icon={<ActivityIcon size={32} />} title={t(isFiltered ? "activity.none" : "activity.empty")}>
          {t(isFiltered ? "activity.none.text" : "activity.empty.text")}
        </Empty>
      </div>
    );
  }
  return (
    <div
      ref={frame}
      className="entries min-h-0 flex-1 overflow-auto"
      role="region"
      aria-label={t("activity.list")}
      tabIndex={0}
    >
      <div className="relative" style={{ height: rows.getTotalSize() }}>
        {drawn.map((row) => {
          const event = shown[row.index];
          return (
            <div
              key={row.key}
              className="absolute inset-x-0 top-0 contain-layout contain-size"
              style={{ height: ENTRY_HEIGHT, transform: `translateY(${row.start}px)` }}
            >
              {event ? (
                <Entry
                  event={event}
                  chosen={ends !== null && (event.seq === ends[0] || event.seq === ends[1])}
                  within={ends !== null && event.seq > ends[0] && event.seq < ends[1]}
                  onChoose={onChoose}
                />
              ) : (
                <End past={past} />
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function End({ past }: { past: Past }) {
  if (past.hasEarlier) return <Onward hasFailed={past.hasFailed} onRead={past.readEarlier} />;
  return <p className="p-2.5 text-center text-[13px] text-muted">{t("activity.beginning")}</p>;
}
