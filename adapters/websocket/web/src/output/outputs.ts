// What runs print, as it comes. What arrived stays for a while after nobody looks, so that looking again goes on from there.

import { useEffect, useSyncExternalStore } from "react";

import { Value } from "../store";
import { watch } from "../wire/hub";
import type { Watcher } from "../wire/wire";
import type { Output as Stretch } from "../wire/frames";
import { Lines } from "./lines";

const MOST_KEPT = 12;

/** One run's. `lines` changes in place; `version` says that it did. */
export class Printed implements Watcher {
  readonly lines = new Lines();
  readonly version = new Value(0);
  offset = 0;
  hasEnded = false;
  problem: string | null = null;
  #readers = 0;
  #stop: (() => void) | undefined;

  constructor(readonly run: string) {}

  take(stretch: Stretch): void {
    this.offset = stretch.next;
    this.hasEnded = stretch.ended;
    this.problem = null;
    if (stretch.skipped > 0) this.lines.gap(stretch.skipped);
    if (stretch.text !== "") this.lines.feed(stretch.text);
    this.#changed();
  }

  refused(text: string): void {
    this.problem = text;
    this.#changed();
  }

  /** Follow it while anybody reads. */
  readonly follow = (): (() => void) => {
    if (this.#readers++ === 0 && !this.hasEnded) this.#stop = watch(this);
    return () => {
      if (--this.#readers === 0) this.#stop?.();
    };
  };

  get isRead(): boolean {
    return this.#readers > 0;
  }

  #changed(): void {
    this.version.change((version) => version + 1);
  }
}

const kept = new Map<string, Printed>();

function printedBy(run: string): Printed {
  const found = kept.get(run) ?? new Printed(run);
  kept.delete(run);
  kept.set(run, found);
  for (const [name, each] of kept) {
    if (kept.size <= MOST_KEPT) break;
    if (!each.isRead && each !== found) kept.delete(name);
  }
  return found;
}

/** What that run printed so far, and a number that changes with it. */
export function usePrinted(run: string): readonly [Printed, number] {
  const printed = printedBy(run);
  useEffect(printed.follow, [printed]);
  return [printed, useSyncExternalStore(printed.version.listen, printed.version.get)];
}
