// What can be done with an approval, and how it reaches the hub. Buttons of the card are pressed by their token.

import { toast } from "../app/toasts";
import type { Given } from "../ui/Question";
import { send, Problem } from "../wire/http";
import { look, press } from "../wire/hub";
import type { Button } from "../wire/frames";
import { maybe } from "../words";
import { entries, type Entry } from "./entries";

export type Operation =
  "comment" | "withdraw" | "submit" | "retry" | "override" | "resolve-completed" | "resolve-failed";

/** Something that is about to be done, once it is confirmed. */
export interface Intent {
  readonly entry: Entry;
  readonly choice: string;
  readonly button?: Button;
}

const REASON = new Set([
  "reject",
  "request-changes",
  "stop",
  "comment",
  "override",
  "resolve-completed",
  "resolve-failed",
]);

export function needsReason(choice: string): boolean {
  return REASON.has(choice);
}

/** Do it: shown at once, and taken back when the hub refuses. Whether it was done. */
export async function perform({ entry, choice, button }: Intent, { comment, confirm }: Given): Promise<boolean> {
  const { id } = entry.approval;
  entries.press(id, choice);
  const refused = await (button?.token ? pressed(button.token, comment, confirm) : operated(id, choice, comment));
  if (refused === null) {
    const said = maybe(`done.${choice}`, { id });
    if (said) toast({ kind: "good", text: said });
  } else {
    entries.press(id, undefined);
    toast({ kind: "bad", text: `${id}: ${refused}` });
  }
  return refused === null;
}

async function pressed(token: string, comment: string, confirm: string): Promise<string | null> {
  const reply = await press(token, comment, confirm);
  return reply.ok ? null : reply.text;
}

async function operated(id: string, choice: string, comment: string): Promise<string | null> {
  const [operation, outcome] = choice.startsWith("resolve-") ? ["resolve", choice.slice(8)] : [choice, undefined];
  const body = {
    ...(comment ? { [operation === "comment" ? "comment" : "reason"]: comment } : {}),
    ...(outcome ? { outcome } : {}),
  };
  try {
    await send("POST", `/v1/approvals/${id}/${operation}`, { body });
    await look(id);
    return null;
  } catch (error) {
    return error instanceof Problem ? error.message : String(error);
  }
}
