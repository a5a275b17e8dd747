import { Shown } from "../text/Shown";
import { Actions } from "../queue/Actions";
import type { Intent } from "../queue/choices";
import { Outputs } from "../queue/Outputs";
import { StateChip, toneOf } from "../queue/StateChip";
import { useEntry } from "../queue/useEntry";
import { show } from "../text/show";
import type { Reply } from "../wire/frames";
import { t } from "../words";
import { href } from "../app/route";
import type { Turn } from "./transcript";

/** One thing said, and its answer. */
export function Said({ turn, onIntent }: { turn: Turn; onIntent: (intent: Intent) => void }) {
  const { reply } = turn;
  const about = reply?.approval?.id;
  return (
    <li className="turn grid gap-1.5" data-ok={reply?.ok} data-said={turn.text}>
      <p className="flex gap-2 font-mono text-[13px] [overflow-wrap:anywhere]">
        <span aria-hidden className="select-none font-semibold text-accent">
          ›
        </span>
        <span>
          <Shown text={turn.text} />
        </span>
      </p>
      {reply ? <Answer reply={reply} /> : <p className="pl-4 text-[13px] text-muted">{t("remote.asking")}</p>}
      {reply?.ok && about !== undefined && <Inline id={about} onIntent={onIntent} />}
    </li>
  );
}

function Answer({ reply }: { reply: Reply }) {
  const isTable = reply.text.includes("\n");
  return (
    <div
      className={`text whitespace-pre-wrap border-l-2 pl-3.5 [overflow-wrap:anywhere] ${
        reply.ok ? "border-line" : "border-bad text-bad"
      } ${isTable ? "font-mono text-[12.5px] leading-relaxed" : ""}`}
    >
      <Shown text={reply.text} multiline />
    </div>
  );
}

/** The request that an answer is about, as it is now, with its buttons. */
function Inline({ id, onIntent }: { id: string; onIntent: (intent: Intent) => void }) {
  const entry = useEntry(id);
  if (!entry) return null;
  const { approval, card } = entry;
  return (
    <div
      className={`inline-card ml-4 max-w-2xl rounded-xl border border-line bg-surface p-3.5 ${toneOf(approval)}`}
      data-id={id}
      data-state={approval.state}
    >
      <p className="flex flex-wrap items-center gap-2">
        <a
          className="font-mono text-[13px] font-semibold hover:underline"
          href={href({ room: "queue", approval: id, query: { view: "open" } })}
        >
          {id}
        </a>
        <StateChip approval={approval} />
        <span className="min-w-0 flex-1 truncate font-medium">{show(approval.title)}</span>
      </p>
      {card && <p className="mt-1 text-[13px] text-muted">{card.summary}</p>}
      <div className="mt-2.5 grid gap-2.5 empty:hidden">
        <Outputs approval={approval} inline />
      </div>
      <div className="mt-2.5 empty:hidden">
        <Actions entry={entry} onIntent={onIntent} />
      </div>
    </div>
  );
}
