// Earlier entries, read backwards in stretches, until the beginning of the log or the bound of what is kept.

import { useCallback, useEffect, useState } from "react";

import { toast } from "../app/toasts";
import type { Event } from "../wire/frames";
import { get, type Page } from "../wire/http";
import { feed, MOST_KEPT } from "./feed";

const STRETCH = 1_000;

let reading: Promise<void> | null = null;

async function readBack(): Promise<void> {
  const until = feed.from;
  const from = Math.max(0, until - STRETCH);
  const found: Event[] = [];
  let after = from;
  while (after < until) {
    const page = await get<Page<Event>>(`/v1/events?after=${after}&limit=${until - after}`);
    found.push(...page.items.filter((each) => each.seq <= until));
    const last = page.items.at(-1)?.seq;
    if (last === undefined || page.next === null) break;
    after = last;
  }
  feed.putBefore(found, from);
}

export interface Past {
  readonly isReading: boolean;
  readonly hasEarlier: boolean;
  readonly readEarlier: () => void;
}

export function usePast(): Past {
  const [isReading, setReading] = useState(false);
  const readEarlier = useCallback(() => {
    setReading(true);
    reading ??= readBack()
      .catch((error: Error) => toast({ kind: "bad", text: error.message }))
      .finally(() => {
        reading = null;
      });
    void reading.finally(() => setReading(false));
  }, []);
  useEffect(() => {
    if (feed.get().length < STRETCH && feed.from > 0) readEarlier();
  }, [readEarlier]);
  return { isReading, hasEarlier: feed.from > 0 && feed.get().length < MOST_KEPT, readEarlier };
}
