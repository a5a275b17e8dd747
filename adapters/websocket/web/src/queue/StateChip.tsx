import { risk } from "./standing";
import type { Approval } from "../wire/frames";

const TONES: Record<string, string> = {
  REVIEWING: "accent",
  APPROVED: "run",
  APPLYING: "run",
  ROLLING_BACK: "run",
  COMPLETED: "good",
  ROLLED_BACK: "good",
  FAILED: "bad",
  REJECTED: "bad",
  ROLLBACK_FAILED: "bad",
  UNKNOWN: "warn",
  EXPIRED: "warn",
};
const MOVING = new Set(["SUBMITTED", "APPLYING", "ROLLING_BACK"]);

export function toneOf(approval: Approval): string {
  if (approval.state === "REVIEWING" && risk(approval) === "high") return "tone-warn";
  return toneOfState(approval.state);
}

export function toneOfState(state: string): string {
  return `tone-${TONES[state] ?? "plain"}`;
}

export function wordOf(state: string): string {
  return state.replaceAll("_", " ").toLowerCase();
}

/** The state in a word, with a colour that is never the only sign. */
export function StateChip({ approval }: { approval: Approval }) {
  return (
    <span className={`chip state ${toneOf(approval)} ${MOVING.has(approval.state) ? "moving" : ""}`}>
      <i aria-hidden />
      {wordOf(approval.state)}
    </span>
  );
}
