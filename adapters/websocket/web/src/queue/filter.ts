// Which approvals a view of the queue shows, in which order. The filters stand in the address.

import type { Me } from "../boot";
import type { Entries, Entry } from "./entries";
import { OPEN, waitsFor } from "./standing";

export const VIEWS = ["mine", "asked", "open", "ended"] as const;
export type View = (typeof VIEWS)[number];

export interface Filter {
  readonly view: View;
  readonly words: string;
}

export function filterOf(query: Readonly<Record<string, string>>): Filter {
  return { view: VIEWS.find((each) => each === query["view"]) ?? "mine", words: query["q"] ?? "" };
}

export function queryOf(filter: Filter): Record<string, string> {
  return { view: filter.view === "mine" ? "" : filter.view, q: filter.words };
}

function isIn(entry: Entry, view: View, me: Me): boolean {
  const { approval, pressed } = entry;
  switch (view) {
    case "mine":
      return pressed === undefined && waitsFor(approval, me);
    case "asked":
      return approval.requester.id === me.id;
    case "open":
      return OPEN.has(approval.state);
    case "ended":
      return !OPEN.has(approval.state);
  }
}

/** Words are looked for everywhere; `state:failed`, `by:ana`, `action:deploy`, `risk:…` narrow one member. */
function says(entry: Entry, wanted: readonly string[]): boolean {
  const { approval } = entry;
  return wanted.every((word) => {
    const [key, value] = word.split(":", 2) as [string, string?];
    switch (value === undefined || value === "" ? "" : key) {
      case "state":
        return approval.state.toLowerCase().startsWith(value as string);
      case "by":
        return `${approval.requester.id} ${approval.requester.name}`.toLowerCase().includes(value as string);
      case "action":
        return approval.action.toLowerCase().includes(value as string);
      case "policy":
        return approval.policy.toLowerCase().includes(value as string);
      default:
        return textOf(approval).includes(word);
    }
  });
}

const texts = new WeakMap<object, string>();

function textOf(approval: Entry["approval"]): string {
  let text = texts.get(approval);
  if (text === undefined) {
    const said = [approval.id, approval.title, approval.requester.name, approval.requester.id, approval.action];
    text = [...said, approval.state.replaceAll("_", " "), ...approval.resources].join(" ").toLowerCase();
    texts.set(approval, text);
  }
  return text;
}

/** What waits for the reader is shown oldest first, since that has waited longest; all else newest first. */
export function isOldestFirst(view: View): boolean {
  return view === "mine";
}

/**
 * What the view shows, in its order. Up to `edge` all of it was read: what is known beyond has gaps before it, and is
 * left out until those are read too.
 */
export function select(entries: Entries, filter: Filter, me: Me, edge: number | null = null): Entry[] {
  const words = filter.words.toLowerCase().split(/\s+/).filter(Boolean);
  const sign = isOldestFirst(filter.view) ? 1 : -1;
  const found: Entry[] = [];
  for (const entry of entries.values()) {
    if (edge !== null && sign * (entry.number - edge) > 0) continue;
    if (isIn(entry, filter.view, me) && says(entry, words)) found.push(entry);
  }
  return found.sort((one, other) => sign * (one.number - other.number));
}

export function countOf(entries: Entries, view: View, me: Me): number {
  let count = 0;
  for (const entry of entries.values()) if (isIn(entry, view, me)) count += 1;
  return count;
}
