// Where one reader stands towards one approval. The hub decides all the same; this only says what to offer.

import type { Me } from "../boot";
import type { Approval } from "../wire/frames";
import { t } from "../words";

export const OPEN = new Set(["DRAFT", "SUBMITTED", "REVIEWING", "APPROVED", "APPLYING", "ROLLING_BACK"]);
export const DECISIONS = new Set(["approve", "reject", "request-changes"]);

/** Why somebody surely cannot decide on it, in words; null when they may be able to. */
export function whyNot(approval: Approval, me: Me): string | null {
  if (me.kind !== "person") return t("why.people");
  if (!me.decides) return t("why.key");
  if (approval.requester.id === me.id || approval.owners.includes(me.id)) return t("why.own");
  if (approval.requirements.some((seat) => seat.person === me.id || isIn(me, seat.group))) return null;
  if (approval.veto.some((group) => isIn(me, group))) return null;
  if (approval.delegations.some((each) => each.by.id === me.id)) return null;
  return t("why.unasked");
}

function isIn(me: Me, group: string | undefined): boolean {
  return group !== undefined && me.groups.includes(group);
}

export function mySaid(approval: Approval, me: Me): string | undefined {
  return approval.decisions.find((each) => each.by.id === me.id)?.verdict;
}

/** Whether it waits for this reader: their decision, or the start of what they asked for. */
export function waitsFor(approval: Approval, me: Me): boolean {
  if (approval.state === "APPROVED") {
    return approval.start === "manual" && approval.apply_asked_at === null && approval.requester.id === me.id;
  }
  if (approval.state === "DRAFT") return approval.requester.id === me.id && approval.why !== null;
  return approval.state === "REVIEWING" && whyNot(approval, me) === null && mySaid(approval, me) === undefined;
}

/** When it runs out, by the clock that runs now. */
export function deadline(approval: Approval): string | null {
  if (approval.state === "SUBMITTED" || approval.state === "REVIEWING") return approval.review_expires_at;
  return approval.state === "APPROVED" ? (approval.hold_until ?? approval.apply_expires_at) : null;
}

export function risk(approval: Approval): "low" | "medium" | "high" {
  const seats = approval.requirements.reduce((sum, each) => sum + each.count, 0);
  return seats === 0 ? "low" : seats > 1 ? "high" : "medium";
}
