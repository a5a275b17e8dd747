// What to do when the log says something new of a kind: once for all that come within a moment.

import { useEffect, useRef } from "react";

import { feed } from "./feed";

const SETTLE_MS = 150;

/** Calls `act` after entries whose names begin with `family`. */
export function useNews(family: string, act: () => void): void {
  const latest = useRef(act);
  useEffect(() => {
    latest.current = act;
  });
  useEffect(() => {
    let seen = feed.get().at(-1)?.seq ?? 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = feed.listen(() => {
      const fresh = feed.get().some((event) => event.seq > seen && event.event.startsWith(family));
      seen = feed.get().at(-1)?.seq ?? seen;
      if (!fresh) return;
      clearTimeout(timer);
      timer = setTimeout(() => latest.current(), SETTLE_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [family]);
}
