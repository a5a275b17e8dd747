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
  /** Whether the last stretch could not be read. */
  readonly hasFailed: boolean;
  readonly hasEarlier: boolean;
  readonly readEarlier: () => void;
}

export function usePast(): Past {
  const [state, setState] = useState<"idle" | "reading" | "failed">("idle");
  const readEarlier = useCallback(() => {
    setState("reading");
    reading ??= readBack().finally(() => {
      reading = null;
    });
    reading.then(
      () => setState("idle"),
      (error: Error) => {
        setState("failed");
        toast({ kind: "bad", text: error.message });
      },
    );
  }, []);
  useEffect(() => {
    if (feed.get().length < STRETCH && feed.from > 0) readEarlier();
  }, [readEarlier]);
  const hasEarlier = feed.from > 0 && feed.get().length < MOST_KEPT;
  return { isReading: state === "reading", hasFailed: state === "failed", hasEarlier, readEarlier };
}
