import { expect, test } from "vitest";

import type { Event } from "../wire/frames";
import { select } from "./filter";
import { said, sentence } from "./sentence";

const event = (seq: number, name: string, more: Partial<Event> = {}): Event => ({
  seq,
  ts: "2026-01-01T00:00:00Z",
  event: name,
  actor: "ana",
  subject: "A1",
  channel: "page",
  details: {},
  ...more,
});
const given = [
  event(1, "approval:requested"),
  event(2, "approval:decided", {
    actor: "bo",
    channel: "slack",
    details: { verdict: "reject", comment: "on a\nfriday?" },
  }),
  event(3, "apply:failed", { subject: "A14", actor: "hub", channel: null }),
];
const seqs = (words: string, family: "" | "apply" | "refused" = "") =>
  select(given, { words, family }).map((each) => each.seq);

test("entries are found by subject, actor, event, channel and words", () => {
  expect(seqs("")).toEqual([1, 2, 3]);
  expect(seqs("about:A1")).toEqual([1, 2]);
  expect(seqs("by:bo")).toEqual([2]);
  expect(seqs("event:decided in:slack")).toEqual([2]);
  expect(seqs("friday")).toEqual([2]);
  expect(seqs("", "apply")).toEqual([3]);
  expect(seqs("", "refused")).toEqual([3]);
});

test("an entry is a sentence", () => {
  const words = (each: Event | undefined) =>
    sentence(each as Event)
      .map((part) => part.text)
      .join("");
  expect(words(given[0])).toBe("ana asked for A1");
  expect(words(given[1])).toBe("bo rejected A1");
  expect(words(event(9, "future:thing"))).toBe("ana future:thing A1");
  expect(said(given[1] as Event)).toBe("on a friday?");
});
