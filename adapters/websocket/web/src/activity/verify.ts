// Fetches what a check needs, and remembers the key: the first one that this browser saw is the one it goes by.

import type { Event, Proof } from "../wire/frames";
import { get, getText } from "../wire/http";
import { check, Unproven, type Checked } from "./proof";

const KEY = "interlock.key";

export interface Verdict extends Checked {
  /** Whether this browser has seen the key before. */
  readonly known: boolean;
}

/** That the log holds exactly these facts. Throws Unproven. */
export async function verify(event: Event): Promise<Verdict> {
  const [entry, proof, key] = await Promise.all([
    getText(`/v1/audit/entry/${event.seq}`),
    get<Proof>(`/v1/audit/proof/${event.seq}`),
    getText("/v1/audit/key"),
  ]);
  const remembered = localStorage.getItem(KEY);
  if (remembered !== null && remembered !== key.trim()) {
    throw new Unproven("the hub's key is not the one that this browser knows; ask who runs the hub whether it changed");
  }
  const checked = await check({ seq: event.seq, entry: new TextEncoder().encode(entry), proof, key });
  demandSame(event, JSON.parse(entry) as Record<string, unknown>);
  localStorage.setItem(KEY, key.trim());
  return { ...checked, known: remembered !== null };
}

/** What is on the screen is what the entry says. */
function demandSame(event: Event, entry: Record<string, unknown>): void {
  for (const member of ["seq", "event", "actor", "subject", "channel"] as const) {
    if ((event[member] ?? null) !== (entry[member] ?? null)) {
      throw new Unproven(`the entry has another ${member} than the one shown`);
    }
  }
  if (Math.floor(Number(entry["ts"]) / 1000) !== Date.parse(event.ts)) throw new Unproven("the entry has another time");
  const facts = entry["details"] as Record<string, unknown>;
  for (const [name, value] of Object.entries(facts)) {
    if (name in event.details && JSON.stringify(event.details[name]) !== JSON.stringify(value)) {
      throw new Unproven(`the entry says something else of ${name}`);
    }
  }
}
