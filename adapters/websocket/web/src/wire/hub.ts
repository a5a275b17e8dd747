// The one connection of this page, and what it keeps up to date.

import { toast } from "../app/toasts";
import { boot } from "../boot";
import { entries } from "../queue/entries";
import { Value } from "../store";
import { feed } from "../activity/feed";
import type { Event, Reply } from "./frames";
import { get, type Page } from "./http";
import { Wire, type LinkState, type Question, type Watcher } from "./wire";

export const link = new Value<LinkState>({ kind: "connecting" });

/** Why everything is stopped; null while runs may start. */
export const halted = new Value<string | null>(boot.halted);

let wire: Wire | undefined;

export function connect(): void {
  const url = new URL("/v1/ws", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  wire = new Wire(
    url.href,
    boot.head,
    {
      card: (card, approval) => entries.put(approval, card),
      event: heard,
      notice: (text) => toast({ kind: "note", text }),
      link: (state) => {
        link.set(state);
        if (state.kind === "live") void catchUp();
      },
      signedOut: () => location.reload(),
    },
    stillKnown,
  );
}

export function retry(): void {
  wire?.retry();
}

export function command(text: string): Promise<Reply> {
  return asked({ type: "command", text });
}

export function press(token: string, comment: string, confirm: string): Promise<Reply> {
  return asked({ type: "press", token, ...(comment ? { comment } : {}), ...(confirm ? { confirm } : {}) });
}

/** One approval as it is now; what is answered is kept like everything that arrives. */
export function look(approval: string): Promise<Reply> {
  return asked({ type: "show", approval });
}

/** Have `watcher` told what its run prints, also over breaks; what is answered ends it. */
export function watch(watcher: Watcher): () => void {
  return (wire as Wire).watch(watcher);
}

async function asked(question: Question): Promise<Reply> {
  const reply = await (wire as Wire).ask(question);
  if (reply.card && reply.approval) entries.put(reply.approval, reply.card);
  return reply;
}

const CHANGES = /^(approval|apply|rollback):/;

function heard(event: Event): void {
  feed.put(event);
  if (event.event === "hub:halted") halted.set(haltedBy(event));
  if (event.event === "hub:resumed") halted.set(null);
}

/** The hub shows the newest of what is open by itself; all else that changed while nobody heard is asked for. */
async function catchUp(): Promise<void> {
  let after = feed.get().at(-1)?.seq ?? feed.from;
  const changed = new Set<string>();
  for (;;) {
    const page = await get<Page<Event>>(`/v1/events?after=${after}&limit=1000`).catch(() => null);
    for (const event of page?.items ?? []) {
      if (event.subject !== null && CHANGES.test(event.event)) changed.add(event.subject);
    }
    if (!page?.next) break;
    after = Number(page.next);
  }
  for (const id of changed) await look(id);
}

function haltedBy(event: Event): string {
  const why = event.details["reason"];
  return `by ${event.actor ?? "somebody"}${typeof why === "string" ? `: ${why}` : ""}`;
}

async function stillKnown(): Promise<boolean> {
  try {
    return (await fetch("/v1/me", { cache: "no-store" })).status !== 401;
  } catch {
    return true;
  }
}
