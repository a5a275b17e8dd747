import { memo } from "react";

import { href } from "../app/route";
import { show } from "../text/show";
import { clockTime, exactly } from "../time/moments";
import type { Event } from "../wire/frames";
import { said, sentence, toneOf } from "./sentence";

export const ENTRY_HEIGHT = 40;

const DOTS = {
  plain: "bg-muted/60",
  good: "bg-good",
  bad: "bg-bad",
  warn: "bg-warn",
  run: "bg-run",
  accent: "bg-accent",
};

interface Props {
  readonly event: Event;
  readonly chosen: boolean;
  readonly within: boolean;
  readonly onChoose: (seq: number, extend: boolean) => void;
}

/** One entry of the log, on one line. */
export const Entry = memo(function Entry({ event, chosen, within, onChoose }: Props) {
  return (
    <div
      className={`entry flex h-full items-center gap-3 border-b border-line/60 px-4 md:px-6 ${
        chosen ? "bg-accent/14" : within ? "bg-accent/7" : "hover:bg-muted/7"
      }`}
      data-seq={event.seq}
      data-event={event.event}
    >
      <i aria-hidden className={`size-2 shrink-0 rounded-full ${DOTS[toneOf(event)]}`} />
      <time dateTime={event.ts} title={exactly(event.ts)} className="w-[68px] shrink-0 text-[12.5px] text-muted">
        {clockTime(event.ts)}
      </time>
      <p className="min-w-0 flex-1 truncate">
        <EntryWords event={event} />
      </p>
      {event.channel && <span className="chip tone-plain max-md:hidden">{show(event.channel)}</span>}
      <button
        type="button"
        className="rounded px-1.5 font-mono text-[12px] text-muted hover:bg-muted/15 hover:text-ink"
        aria-label={`Entry ${event.seq}`}
        aria-pressed={chosen}
        onClick={(click) => onChoose(event.seq, click.shiftKey)}
      >
        {event.seq}
      </button>
    </div>
  );
});

/** What an entry says, with who and what in it drawn as such. */
export function EntryWords({ event }: { event: Event }) {
  const words = said(event);
  return (
    <>
      {sentence(event).map((part, at) =>
        part.kind === "actor" ? (
          <b key={at} className="font-semibold">
            {show(part.text)}
          </b>
        ) : part.kind === "subject" && /^A\d+$/.test(part.text) ? (
          <a
            key={at}
            className="font-mono text-[12.5px] text-accent hover:underline"
            href={href({ room: "queue", approval: part.text, query: { view: "open" } })}
          >
            {part.text}
          </a>
        ) : (
          <span key={at} className={part.kind === "subject" ? "font-mono text-[12.5px]" : ""}>
            {show(part.text)}
          </span>
        ),
      )}
      {words !== null && <span className="text-muted">: {show(words)}</span>}
    </>
  );
}
