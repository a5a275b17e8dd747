// What was said on this page and what was answered; kept while the page is open, the lines themselves for longer.

import type { Reply } from "../wire/frames";
import { command } from "../wire/hub";
import { Value } from "../store";

const MOST = 200;
const MOST_LINES = 200;
const KEY = "interlock.lines";

export interface Turn {
  readonly id: number;
  readonly text: string;
  /** Absent while the hub has not answered. */
  readonly reply: Reply | undefined;
}

export const transcript = new Value<readonly Turn[]>([]);

let next = 1;

/** Say it to the hub; the answer appears in the transcript. */
export async function say(text: string): Promise<Reply> {
  const id = next++;
  remember(text);
  transcript.change((turns) => [...turns.slice(1 - MOST), { id, text, reply: undefined }]);
  const reply = await command(text);
  transcript.change((turns) => turns.map((turn) => (turn.id === id ? { ...turn, reply } : turn)));
  return reply;
}

/** Lines said before, the latest last; those that carry a secret are the hub's to refuse, and are not kept either. */
export function lines(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((each) => typeof each === "string") : [];
  } catch {
    return [];
  }
}

function remember(text: string): void {
  const kept = lines().filter((each) => each !== text);
  localStorage.setItem(KEY, JSON.stringify([...kept, text].slice(-MOST_LINES)));
}
