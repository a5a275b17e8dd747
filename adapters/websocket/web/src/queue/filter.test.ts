import { expect, test } from "vitest";

import type { Me } from "../boot";
import type { Approval } from "../wire/frames";
import { numberOf, type Entry } from "./entries";
import { filterOf, queryOf, select, type View } from "./filter";
import { waitsFor, whyNot } from "./standing";

const person = (id: string) => ({ id, kind: "person" as const, name: id.toUpperCase() });
const me = (id: string, more: Partial<Me> = {}): Me => ({
  id,
  name: id,
  kind: "person",
  groups: ["sre"],
  decides: true,
  assurance: "signed_in",
  ...more,
});

function approval(id: string, more: Partial<Approval> = {}): Approval {
  return {
    id,
    version: 1,
    action: "deploy",
    title: `Deploy web ${id}`,
    params: {},
    reason: null,
    state: "REVIEWING",
    why: null,
    revision: 1,
    digest: "d".repeat(64),
    requester: person("ana"),
    owners: [],
    channel: "page",
    policy: "default",
    allow: false,
    confirm: "press",
    min_assurance: "chat",
    commands: {},
    requirements: [{ group: "sre", count: 1, have: 0, by: [] }],
    rejections: { have: 0, count: 1 },
    veto: [],
    could: [],
    delegations: [],
    decisions: [],
    resources: ["env:prod"],
    validation: [],
    preview: null,
    waiting_for: [],
    run: null,
    escalated: [],
    frozen: [],
    override: null,
    rollback: null,
    rollback_run: null,
    start: "auto",
    attempt: 1,
    retry_of: null,
    created_at: "2026-01-01T00:00:00Z",
    review_expires_at: null,
    apply_asked_at: null,
    apply_expires_at: null,
    hold_until: null,
    closed_at: null,
    ...more,
  };
}

function entry(approval: Approval, pressed?: string): Entry {
  return { number: numberOf(approval.id), approval, card: undefined, pressed };
}

function ids(view: View, words: string, reader: Me, ...given: (Approval | Entry)[]): string[] {
  return read(null, view, words, reader, ...given);
}

function read(edge: number | null, view: View, words: string, reader: Me, ...given: (Approval | Entry)[]): string[] {
  const entries = given.map((each) => ("approval" in each ? each : entry(each)));
  const known = new Map(entries.map((each) => [each.approval.id, each]));
  return select(known, { view, words }, reader, edge).map((each) => each.approval.id);
}

test("what waits for a reader is what they may decide on, the oldest first", () => {
  const own = approval("A2", { requester: person("bo") });
  const owned = approval("A3", { owners: ["bo"] });
  const others = approval("A4", { requirements: [{ group: "dba", count: 1, have: 0, by: [] }] });
  const over = approval("A5", { state: "REJECTED" });
  expect(ids("mine", "", me("bo"), approval("A10"), approval("A9"), own, owned, others, over)).toEqual(["A9", "A10"]);
});

test("a decision of one's own, or a press under way, waits no longer", () => {
  const said = { by: person("bo"), verdict: "approve" as const, at: "", channel: "page", assurance: "chat" };
  const decided = approval("A1", {
    decisions: [{ ...said, comment: null, digest: "", on_behalf_of: null, delegation: null }],
  });
  expect(waitsFor(decided, me("bo"))).toBe(false);
  expect(ids("mine", "", me("bo"), entry(approval("A2"), "approve"))).toEqual([]);
});

test("agents and keys that may not decide are told why", () => {
  expect(whyNot(approval("A1"), me("bot", { kind: "agent" }))).toBe("Only people decide.");
  expect(whyNot(approval("A1"), me("bo", { decides: false }))).toContain("key");
  expect(whyNot(approval("A1"), me("ana"))).toContain("somebody else");
  expect(whyNot(approval("A1"), me("bo"))).toBeNull();
});

test("a delegate may decide where they are not in the group", () => {
  const lent = approval("A1", {
    requirements: [{ group: "dba", count: 1, have: 0, by: [] }],
    delegations: [{ id: "D1", by: person("bo"), on_behalf_of: person("cai") }],
  });
  expect(waitsFor(lent, me("bo"))).toBe(true);
});

test("words are looked for everywhere, and keys narrow one member", () => {
  const failed = approval("A2", { state: "FAILED", requester: person("cai"), policy: "prod" });
  const given = [approval("A1"), failed] as const;
  expect(ids("ended", "", me("bo"), ...given)).toEqual(["A2"]);
  expect(ids("ended", "by:cai state:fail policy:prod", me("bo"), ...given)).toEqual(["A2"]);
  expect(ids("ended", "by:ana", me("bo"), ...given)).toEqual([]);
  expect(ids("open", "web env:prod", me("bo"), ...given)).toEqual(["A1"]);
  expect(ids("open", "nothing", me("bo"), ...given)).toEqual([]);
});

test("what is known beyond the part that was read in order waits until that is read", () => {
  const given = ["A1", "A2", "A8", "A9"].map((each) => approval(each));
  expect(read(2, "mine", "", me("bo"), ...given)).toEqual(["A1", "A2"]);
  expect(read(8, "open", "", me("bo"), ...given)).toEqual(["A9", "A8"]);
  expect(read(null, "open", "", me("bo"), ...given)).toEqual(["A9", "A8", "A2", "A1"]);
});

test("a filter stands in the address and comes back from it", () => {
  const filter = { view: "ended" as const, words: "by:ana web" };
  expect(filterOf(queryOf(filter))).toEqual(filter);
  expect(filterOf({ view: "nonsense" })).toEqual({ view: "mine", words: "" });
});
