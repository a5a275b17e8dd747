// Which entries are shown: by subject, actor, event and channel, and by words. The filter stands in the address.

import type { Event } from "../wire/frames";

export const FAMILIES = ["approval", "apply", "lease", "delivery", "login", "refused"] as const;
export type Family = (typeof FAMILIES)[number];

const KEYS = { about: "subject", by: "actor", event: "event", in: "channel" } as const;

export interface Filter {
  readonly words: string;
  readonly family: Family | "";
}

export function filterOf(query: Readonly<Record<string, string>>): Filter {
  return { words: query["q"] ?? "", family: FAMILIES.find((each) => each === query["of"]) ?? "" };
}

export function queryOf({ words, family }: Filter): Record<string, string> {
  return { q: words, of: family };
}

function isOf(event: Event, family: Family | ""): boolean {
  if (family === "") return true;
  if (family === "refused") return /:(refused|failed|dead|rejected)$/.test(event.event);
  if (family === "apply") return event.event.startsWith("apply:") || event.event.startsWith("rollback:");
  return event.event.startsWith(`${family}:`);
}

function says(event: Event, word: string): boolean {
  const at = word.indexOf(":");
  const key = KEYS[word.slice(0, Math.max(0, at)) as keyof typeof KEYS];
  if (key !== undefined) {
    const wanted = word.slice(at + 1);
    const value = (event[key] ?? "").toLowerCase();
    return key === "subject" ? wanted === "" || value === wanted : value.includes(wanted);
  }
  return [event.event, event.actor, event.subject, event.channel, JSON.stringify(event.details)]
    .join(" ")
    .toLowerCase()
    .includes(word);
}

export function select(events: readonly Event[], { words, family }: Filter): readonly Event[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  if (!wanted.length && family === "") return events;
  return events.filter((event) => isOf(event, family) && wanted.every((word) => says(event, word)));
}
