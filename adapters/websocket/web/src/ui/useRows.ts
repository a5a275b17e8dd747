// A long list whose rows are all of one height: only what can be seen of it is drawn.

import { useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import { useRef, type RefObject } from "react";

type Rows = Virtualizer<HTMLDivElement, Element>;

const OVERSCAN = 10;

/** `keyAt` must be a function that changes only with the list. */
export function useRows(
  count: number,
  height: number,
  keyAt: (at: number) => string | number,
): { readonly frame: RefObject<HTMLDivElement | null>; readonly rows: Rows } {
  const frame = useRef<HTMLDivElement>(null);
  const before = useRef<Rows>(null);
  const rows = useVirtualizer({
    count,
    getScrollElement: () => frame.current,
    estimateSize: () => height,
    getItemKey: keyAt,
    overscan: OVERSCAN,
    // At the top, what is new is shown; further down, what is read stays where it is while rows come and go above it.
    anchorTo: before.current?.scrollOffset ? "end" : "start",
  });
  before.current = rows;
  return { frame, rows };
}
