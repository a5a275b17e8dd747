// An entry of the log as a sentence in parts, so that who and what in it can be drawn as such.

import type { Event } from "../wire/frames";
import { maybe, t } from "../words";

export type Tone = "plain" | "good" | "bad" | "warn" | "run" | "accent";

export interface Part {
  readonly kind: "text" | "actor" | "subject";
  readonly text: string;
}

const TONES: Readonly<Record<string, Tone>> = {
  "approval:requested": "accent",
  "approval:submitted": "accent",
  "approval:revised": "accent",
  "approval:reopened": "warn",
  "approval:drafted": "warn",
  "approval:escalated": "warn",
  "approval:approved": "good",
  "approval:rejected": "bad",
  "approval:expired": "warn",
  "apply:started": "run",
  "apply:finished": "good",
  "apply:unknown": "bad",
  "apply:stopped": "bad",
  "rollback:started": "run",
  "rollback:finished": "good",
  "lease:acquired": "run",
  "lease:reclaimed": "warn",
  "lease:broken": "bad",
  "lease:deadlock": "bad",
  "freeze:created": "warn",
  "freeze:overridden": "warn",
  "delivery:dead": "bad",
  "delivery:throttled": "warn",
  "hub:halted": "bad",
  "hub:resumed": "good",
};

export function toneOf(event: Event): Tone {
  if (event.event === "approval:decided") return event.details["verdict"] === "approve" ? "good" : "warn";
  return TONES[event.event] ?? (/:(refused|failed)$/.test(event.event) ? "bad" : "plain");
}

export function sentence(event: Event): Part[] {
  const which = String(event.details["verdict"] ?? event.details["shows"] ?? "");
  const words =
    maybe(`event.${event.event}.${which}`) ?? maybe(`event.${event.event}`) ?? `{actor} ${event.event} {subject}`;
  const found: Part[] = [];
  for (const text of words.split(/(\{\w+\})/)) {
    if (text === "{actor}") found.push({ kind: "actor", text: event.actor ?? "hub" });
    else if (text === "{subject}") {
      if (event.subject) found.push({ kind: "subject", text: event.subject });
    } else if (/^\{\w+\}$/.test(text))
      found.push({ kind: "text", text: String(event.details[text.slice(1, -1)] ?? "") });
    else if (text) found.push({ kind: "text", text });
  }
  return found;
}

const OF_REQUESTS = /^(approval|apply|rollback|delivery|press):/;

/** What kind of thing an event is, whoever it is about: `a request failed`; a hook's as a message to it. */
export function happening(name: string): string {
  if (name.startsWith("hook:") && name !== "hook:refused") return t("happening.message", { hook: name.slice(5) });
  const about = OF_REQUESTS.test(name) ? t("happening.request") : "";
  const words = maybe(`event.${name}`, { actor: t("happening.somebody"), subject: about }) ?? name;
  return words.replace(/\s+/g, " ").replace(/:?\s*$/, "");
}

/** The words that somebody added, or why it was refused. */
export function said(event: Event): string | null {
  const { comment, reason, code, why } = event.details;
  const found = [comment, reason, code, why].find((each) => typeof each === "string" && each !== "");
  return typeof found === "string" ? found.replace(/\s+/g, " ") : null;
}
