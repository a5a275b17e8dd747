import { expect, test } from "vitest";

import { wanted } from "./wanted";

const NOW = 1_800_000_000_000;
const noted = (place: unknown, at: unknown = NOW - 60_000) => JSON.stringify([place, at]);

test("who was on the way to somewhere goes there once signed in", () => {
  expect(wanted("", noted("#/approvals/A142?view=open"), NOW)).toBe("#/approvals/A142?view=open");
  expect(wanted("#", noted("#/leases"), NOW)).toBe("#/leases");
});

test("a place that the address itself names goes before one that was noted", () => {
  expect(wanted("#/activity", noted("#/approvals/A142"), NOW)).toBe("#/activity");
});

test("nothing is gone to that was noted long ago, or that is no place", () => {
  expect(wanted("", noted("#/approvals/A142", NOW - 16 * 60_000), NOW)).toBe("");
  for (const not of [null, "", "{", "[]", "null", noted(7), noted("#/approvals/A142", "soon")]) {
    expect(wanted("", not, NOW)).toBe("");
  }
  expect(wanted("", noted("https://evil.example/"), NOW)).toBe("#/queue");
});
