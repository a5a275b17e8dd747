// Where the waits-for graph draws whom: holders first, each waiter one column after the last that they wait for.

import type { LeasePicture } from "../wire/frames";

export const BOX = { width: 190, height: 46, gapX: 70, gapY: 14 } as const;

export interface Node {
  readonly name: string;
  readonly who: string;
  readonly what: string;
  readonly waits: boolean;
  readonly x: number;
  readonly y: number;
}

export interface Edge {
  readonly from: string;
  readonly to: string;
}

export interface Graph {
  readonly nodes: readonly Node[];
  readonly edges: readonly Edge[];
  readonly width: number;
  readonly height: number;
}

/** The graph of everybody who waits and of whom they wait for; leases that nobody wants are not in it. */
export function layout({ held, waiting }: LeasePicture): Graph {
  const wanted = new Set(waiting.flatMap((each) => each.behind));
  const columns: Node[][] = [];
  const depth = new Map<string, number>();
  const place = (name: string, column: number, who: string, resources: readonly string[], waits: boolean) => {
    const nodes = (columns[column] ??= []);
    const x = column * (BOX.width + BOX.gapX);
    const y = nodes.length * (BOX.height + BOX.gapY);
    nodes.push({ name, who, what: resources.join(", "), waits, x, y });
    depth.set(name, column);
  };
  for (const each of held) {
    if (wanted.has(each.lock_id)) place(each.lock_id, 0, each.principal, each.resources, false);
  }
  // Waiters come best rank first, so whoever is before them is placed already.
  for (const each of waiting) {
    const column = 1 + Math.max(0, ...each.behind.map((name) => depth.get(name) ?? 0));
    place(each.ticket, column, each.principal, each.resources, true);
  }
  const nodes = columns.flat().filter(Boolean);
  const known = new Set(nodes.map((node) => node.name));
  const edges = direct(waiting).filter((edge) => known.has(edge.from) && known.has(edge.to));
  return {
    nodes,
    edges,
    width: Math.max(0, columns.length * (BOX.width + BOX.gapX) - BOX.gapX),
    height: Math.max(0, ...columns.map((each) => (each?.length ?? 0) * (BOX.height + BOX.gapY) - BOX.gapY)),
  };
}

/** Who waits for whom, without those that follow from others: behind a waiter who is behind a holder says both. */
function direct(waiting: LeasePicture["waiting"]): Edge[] {
  const behind = new Map(waiting.map((each) => [each.ticket, new Set(each.behind)]));
  return waiting.flatMap((each) =>
    each.behind
      .filter((name) => !each.behind.some((other) => other !== name && behind.get(other)?.has(name)))
      .map((name) => ({ from: each.ticket, to: name })),
  );
}
