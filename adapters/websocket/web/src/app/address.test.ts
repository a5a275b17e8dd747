import { expect, test } from "vitest";

import { href, parse } from "./address";

test("every place is a link, and leads back to itself", () => {
  for (const hash of [
    "#/queue",
    "#/queue?view=open&q=by%3Aana",
    "#/approvals/A142?view=ended",
    "#/leases",
    "#/remote",
  ]) {
    expect(href(parse(hash))).toBe(hash);
  }
});

test("what leads nowhere leads to the queue", () => {
  for (const hash of ["", "#", "#/nowhere", "#/approvals/x", "#/approvals/A0", "#/approvals/A1<script>"]) {
    expect(parse(hash)).toMatchObject({ room: "queue", approval: null });
  }
});
