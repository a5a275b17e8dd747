// The place that somebody asked for before they were signed in: the sign-in page (pages/signin.js) noted it, because
// what follows `#` in an address is never sent to the hub. It is gone to once, and only for as long as a link is good.

import { href, parse } from "./address";

const KEY = "interlock.wanted";
const GOOD_FOR_MS = 15 * 60_000;

/** The fragment to open instead of `hash`; `hash` itself when it names a place, or nothing was noted lately. */
export function wanted(hash: string, noted: string | null, now: number): string {
  if (hash.length > 2 || noted === null) return hash;
  try {
    const [place, at] = JSON.parse(noted) as [unknown, unknown];
    const late = typeof at !== "number" || Math.abs(now - at) > GOOD_FOR_MS;
    return typeof place !== "string" || late ? hash : href(parse(place));
  } catch {
    return hash;
  }
}

/** Go there, before anything is drawn. */
export function goWhereWanted(): void {
  try {
    const hash = wanted(location.hash, localStorage.getItem(KEY), Date.now());
    localStorage.removeItem(KEY);
    if (hash !== location.hash) history.replaceState(null, "", hash);
  } catch {
    // A browser that keeps nothing for pages begins at the queue.
  }
}
