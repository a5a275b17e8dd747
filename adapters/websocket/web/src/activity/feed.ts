// The log as this page has read it: entries in order of seq, none twice, and a bound on how many are kept.

import { boot } from "../boot";
import { Value } from "../store";
import type { Event } from "../wire/frames";

export const MOST_KEPT = 10_000;

class Feed extends Value<readonly Event[]> {
  #arrived: Event[] = [];
  #scheduled = false;

  /** The seq of the entry before the first one that is kept: where earlier ones end. */
  from = boot.head;

  put(event: Event): void {
    this.#arrived.push(event);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      const known = this.get();
      const last = known.at(-1)?.seq ?? this.from;
      const fresh = this.#arrived.filter((each) => each.seq > last);
      this.#arrived = [];
      if (fresh.length) this.set([...known, ...fresh].slice(-MOST_KEPT));
    });
  }

  /** Put earlier entries, which end where ours begin, before them. */
  putBefore(earlier: readonly Event[], from: number): void {
    const first = this.get()[0]?.seq ?? Infinity;
    this.from = from;
    this.set([...earlier.filter((each) => each.seq < first), ...this.get()].slice(-MOST_KEPT));
  }
}

export const feed = new Feed([]);
