// Times in words, and one clock for all of them. A time is drawn in the reader's zone, exactly where they ask.

import { Value } from "../store";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const SPANS = [
  [DAY, "a day", "days"],
  [HOUR, "an hour", "hours"],
  [MINUTE, "a minute", "minutes"],
  [1, "a second", "seconds"],
] as const;

/** The present second; everything that counts follows it. */
export const now = new Value(Math.floor(Date.now() / 1000));
setInterval(() => now.set(Math.floor(Date.now() / 1000)), 1000);

export function seconds(iso: string): number {
  return Math.floor(Date.parse(iso) / 1000);
}

/** `just now`, `5 min ago`, `3 h ago`, `2 days ago`. */
export function ago(then: number, at: number): string {
  const gone = Math.max(0, at - then);
  if (gone < 10) return "just now";
  if (gone < MINUTE) return `${gone} s ago`;
  if (gone < HOUR) return `${Math.floor(gone / MINUTE)} min ago`;
  if (gone < 2 * DAY) return `${Math.floor(gone / HOUR)} h ago`;
  return `${Math.floor(gone / DAY)} days ago`;
}

/** `45 s`, `12:05`, `3 h 20 min`, `4 days`; `over` once there is none left. */
export function left(until: number, at: number): string {
  const rest = until - at;
  if (rest <= 0) return "over";
  if (rest < MINUTE) return `${rest} s`;
  if (rest < HOUR) return `${Math.floor(rest / MINUTE)}:${String(rest % MINUTE).padStart(2, "0")}`;
  if (rest < 2 * DAY) {
    const minutes = Math.floor((rest % HOUR) / MINUTE);
    return minutes ? `${Math.floor(rest / HOUR)} h ${minutes} min` : `${Math.floor(rest / HOUR)} h`;
  }
  return `${Math.floor(rest / DAY)} days`;
}

/** How long something took: `0.4 s`, `5 s`, `12 s`, `3 min 5 s`, `1 h 20 min`. */
export function lasted(ms: number): string {
  const whole = Math.floor(ms / 1000);
  if (ms > 0 && ms < 10_000 && ms % 1000 !== 0) return `${(ms / 1000).toFixed(1)} s`;
  if (whole < MINUTE) return `${Math.max(0, whole)} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min ${whole % MINUTE} s`;
  return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} min`;
}

const EXACT = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "medium",
});
const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** The exact time in the reader's zone, with UTC beside it. */
export function exactly(iso: string): string {
  return `${EXACT.format(new Date(iso))} (${inUtc(iso)})`;
}

/** `2026-11-23 09:00:05 UTC`, for words that people in other zones read too. */
export function inUtc(iso: string): string {
  return `${new Date(iso).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

const SHORT = new Intl.DateTimeFormat(undefined, {
  weekday: "short",
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});

/** `Mon 23 Nov, 09:00`, in the reader's zone. */
export function shortly(iso: string): string {
  return SHORT.format(new Date(iso));
}

/** A window in words: `an hour`, `10 minutes`. */
export function inWords(span: number): string {
  for (const [unit, one, many] of SPANS) {
    if (span === unit) return one;
    if (span % unit === 0) return `${span / unit} ${many}`;
  }
  return `${span} s`;
}

export function clockTime(iso: string): string {
  return CLOCK.format(new Date(iso));
}
