// Every approval that this page has seen, in its latest version: what arrives over the wire and what lists answered.

import { Value } from "../store";
import type { Approval, Card } from "../wire/frames";

export interface Entry {
  readonly number: number;
  readonly approval: Approval;
  /** Its picture with live buttons; absent for one that only a list has named so far. */
  readonly card: Card | undefined;
  /** What this page has pressed and not heard the end of; shown at once, taken back when it is refused. */
  readonly pressed: string | undefined;
}

/** What follows a change so closely is drawn with the next one: an approval runs and ends in a few milliseconds. */
const TOGETHER_MS = 100;

export type Entries = ReadonlyMap<string, Entry>;

class Kept extends Value<Entries> {
  #changed = new Map<string, Entry>();
  #scheduled = false;
  #drawnAt = 0;

  constructor() {
    super(new Map());
  }

  find(id: string): Entry | undefined {
    return this.#changed.get(id) ?? this.get().get(id);
  }

  /** Keep what arrived, unless something newer is known. What a list answers, without cards, is drawn with its end. */
  put(approval: Approval, card?: Card): void {
    const known = this.find(approval.id);
    if (known && known.approval.version > approval.version) return;
    const same = known?.approval.version === approval.version;
    this.#changed.set(approval.id, {
      number: known?.number ?? numberOf(approval.id),
      approval,
      card: card ?? (same ? known.card : undefined),
      pressed: same && card === undefined ? known.pressed : undefined,
    });
    this.#drawSoon(card === undefined ? 0 : TOGETHER_MS);
  }

  /** Note a press before it is answered; `undefined` takes it back. */
  press(id: string, choice: string | undefined): void {
    const known = this.find(id);
    if (!known) return;
    this.#changed.set(id, { ...known, pressed: choice });
    this.#draw(); // whoever presses sees it at once
  }

  #drawSoon(together: number): void {
    const rest = this.#drawnAt + together - performance.now();
    if (rest <= 0) queueMicrotask(() => this.#draw());
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setTimeout(() => this.#draw(), rest);
    }
  }

  #draw(): void {
    this.#scheduled = false;
    if (this.#changed.size === 0) return;
    this.#drawnAt = performance.now();
    const all = new Map(this.get());
    for (const [key, value] of this.#changed) all.set(key, value);
    this.#changed.clear();
    this.set(all);
  }
}

export const entries = new Kept();

export function numberOf(id: string): number {
  return Number(id.slice(1));
}
