import { expect, test } from "vitest";

import { ago, lasted, left } from "./moments";

test("times that are over are told by how long ago", () => {
  const words = [0, 9, 10, 61, 3 * 3600, 50 * 3600].map((gone) => ago(1_000_000 - gone, 1_000_000));
  expect(words).toEqual(["just now", "just now", "10 s ago", "1 min ago", "3 h ago", "2 days ago"]);
  expect(ago(1_000_005, 1_000_000)).toBe("just now");
});

test("times to come are told by what is left", () => {
  const words = [-1, 0, 45, 725, 3 * 3600 + 1200, 4 * 86_400].map((rest) => left(1_000_000 + rest, 1_000_000));
  expect(words).toEqual(["over", "over", "45 s", "12:05", "3 h 20 min", "4 days"]);
});

test("how long something took is told as finely as it matters", () => {
  const words = [-5, 0, 420, 5_000, 12_700, 185_000, 4_800_000].map(lasted);
  expect(words).toEqual(["0 s", "0 s", "0.4 s", "5 s", "12 s", "3 min 5 s", "1 h 20 min"]);
});
