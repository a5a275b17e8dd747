import { expect, test } from "vitest";

import type { LeasePicture } from "../wire/frames";
import { layout } from "./layout";

const common = {
  mode: "exclusive" as const,
  holder: "h",
  principal: "ana",
  purpose: null,
  kind: "lock" as const,
  approval: null,
};
const held = (lock_id: string, ...resources: string[]): LeasePicture["held"][number] => ({
  ...common,
  lock_id,
  resources,
  state: "held",
  ttl_seconds: 30,
  acquired_at: "",
  heartbeat_at: "",
  silent: false,
  expires_at: null,
});
const waits = (ticket: string, ...behind: string[]): LeasePicture["waiting"][number] => ({
  ...common,
  ticket,
  resources: ["env:prod"],
  position: 1,
  behind,
  queued_at: "",
  estimate_seconds: null,
});

test("a waiter stands one column after the last that they wait for", () => {
  const graph = layout({ held: [held("L1", "env:prod")], waiting: [waits("T1", "L1"), waits("T2", "L1", "T1")] });
  expect(graph.nodes.map((node) => [node.name, node.x / 260, node.y])).toEqual([
    ["L1", 0, 0],
    ["T1", 1, 0],
    ["T2", 2, 0],
  ]);
  expect(graph.edges).toEqual([
    { from: "T1", to: "L1" },
    { from: "T2", to: "T1" },
  ]);
});

test("a lease that nobody waits for is not drawn", () => {
  const graph = layout({ held: [held("L1", "env:prod"), held("L2", "env:other")], waiting: [waits("T1", "L1")] });
  expect(graph.nodes.map((node) => node.name)).toEqual(["L1", "T1"]);
});

test("nobody waits: nothing is drawn", () => {
  expect(layout({ held: [held("L1", "env:prod")], waiting: [] })).toEqual({
    nodes: [],
    edges: [],
    width: 0,
    height: 0,
  });
});
