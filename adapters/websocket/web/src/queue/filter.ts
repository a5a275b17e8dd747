// Which approvals a view of the queue shows, in which order. The filters stand in the address.

import type { Me } from "../boot";
import { numberOf, type Entries, type Entry } from "./entries";
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

/** Newest first; what waits for the reader oldest first, since that has waited longest. */
export function select(entries: Entries, filter: Filter, me: Me): Entry[] {
  const words = filter.words.toLowerCase().split(/\s+/).filter(Boolean);
  const found = [...entries.values()].filter((entry) => isIn(entry, filter.view, me) && says(entry, words));
  const sign = filter.view === "mine" ? 1 : -1;
  return found.sort((one, other) => sign * (numberOf(one.approval.id) - numberOf(other.approval.id)));
}

export function countOf(entries: Entries, view: View, me: Me): number {
  let count = 0;
  for (const entry of entries.values()) if (isIn(entry, view, me)) count += 1;
  return count;
}
