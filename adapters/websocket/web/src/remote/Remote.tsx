import { useQuery } from "@tanstack/react-query";
import { SquareTerminal, Trash2 } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";

import { useKeys } from "../app/keys";
import { href, useRoute } from "../app/route";
import { perform, type Intent } from "../queue/choices";
import { Decide } from "../queue/Decide";
import { entries, numberOf } from "../queue/entries";
import { OPEN } from "../queue/standing";
import { useValue } from "../store";
import { Empty } from "../ui/Empty";
import type { Action, Verb } from "../wire/frames";
import { get, type Page } from "../wire/http";
import { t } from "../words";
import type { Language } from "./language";
import { Line } from "./Line";
import { Said } from "./Said";
import { Schedules } from "./Schedules";
import { transcript } from "./transcript";
import { Triggers } from "./Triggers";
import { useEndInSight } from "./useEndInSight";

const TABS = ["now", "scheduled", "triggers"] as const;
type Tab = (typeof TABS)[number];

/** The remote control: say something to the hub, see what it answers, and act on it where it stands. */
export default function Remote() {
  const turns = useValue(transcript);
  const { query } = useRoute();
  const [intent, setIntent] = useState<Intent | null>(null);
  const end = useRef<HTMLDivElement>(null);
  const said = useEndInSight();
  const language = useLanguage();
  const tab = TABS.find((each) => each === query["tab"]) ?? "now";
  useEffect(() => {
    end.current?.scrollIntoView({ block: "end" });
  }, [turns]);
  useKeys({ "/": () => document.getElementById("command")?.focus() });
  return (
    <div className="flex h-full flex-col">
      <div className="flex min-h-13 items-center justify-between gap-3 border-b border-line bg-surface px-3 py-2 md:px-6">
        <div className="flex items-center gap-3">
          <h1 className="text-base font-semibold max-sm:sr-only">{t("remote.title")}</h1>
          <Tabs tab={tab} />
        </div>
        {tab === "now" && turns.length > 0 && (
          <button type="button" className="button ghost small" onClick={() => transcript.set([])}>
            <Trash2 size={14} aria-hidden />
            <span className="max-sm:sr-only">{t("remote.clear")}</span>
          </button>
        )}
      </div>
      {tab === "scheduled" && <Schedules />}
      {tab === "triggers" && <Triggers />}
      {tab === "now" && (
        <div
          className="min-h-0 flex-1 overflow-auto"
          ref={said}
          role="log"
          aria-label={t("remote.transcript")}
          tabIndex={0}
        >
          {turns.length === 0 ? (
            <Empty icon={<SquareTerminal size={32} />} title={t("remote.empty")}>
              {t("remote.empty.text")}
            </Empty>
          ) : (
            <ol className="grid gap-5 px-4 py-5 md:px-6">
              {turns.map((turn) => (
                <Said key={turn.id} turn={turn} onIntent={setIntent} />
              ))}
            </ol>
          )}
          <div ref={end} />
        </div>
      )}
      <Line language={language} begun={query["say"] ?? ""} eager={tab === "now"} />
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

function Tabs({ tab }: { tab: Tab }) {
  return (
    <nav aria-label={t("remote.title")} className="flex gap-0.5">
      {TABS.map((each) => (
        <a
          key={each}
          href={href({ room: "remote", query: each === "now" ? {} : { tab: each } })}
          aria-current={each === tab ? "page" : undefined}
          className="flex min-h-8 items-center rounded-lg px-2 text-[13px] font-medium sm:px-2.5 text-muted hover:text-ink aria-[current]:bg-muted/15 aria-[current]:text-ink"
        >
          {t(`remote.tab.${each}`)}
        </a>
      ))}
    </nav>
  );
}

function useLanguage(): Language {
  const verbs = useQuery({ queryKey: ["verbs"], queryFn: () => get<Page<Verb>>("/v1/verbs") });
  const actions = useQuery({ queryKey: ["actions"], queryFn: () => get<Page<Action>>("/v1/actions") });
  const all = useValue(entries);
  return useMemo(
    () => ({
      verbs: verbs.data?.items ?? [],
      actions: actions.data?.items ?? [],
      ids: [...all.values()]
        .filter((each) => OPEN.has(each.approval.state))
        .map((each) => each.approval.id)
        .sort((one, other) => numberOf(other) - numberOf(one)),
    }),
    [verbs.data, actions.data, all],
  );
}
