import { expect, test } from "vitest";

import { kindsOf } from "./diff";

test("a diff is told line by line", () => {
  const lines = ["--- a", "+++ b", "@@ -1 +1 @@", " same", "-gone", "+come", "  ~ resource will change", "  - removed"];
  expect(kindsOf(lines)).toEqual(["head", "head", "head", "same", "removed", "added", "changed", "same"]);
});

test("a plain list is no diff", () => {
  expect(kindsOf(["things:", "- one", "- two"])).toEqual(["same", "same", "same"]);
});
