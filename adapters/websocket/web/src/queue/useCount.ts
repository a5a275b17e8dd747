// How many a view has, as far as it was read.

import { me } from "../boot";
import { followed } from "../store";
import { entries } from "./entries";
import { countOf } from "./filter";
import { usePages } from "./usePages";

/** As many open ones as the hub shows by itself. */
const SHOWN = 100;

const COUNTS = {
  mine: followed(entries, (all) => countOf(all, "mine", me)),
  open: followed(entries, (all) => countOf(all, "open", me)),
};

/** `12`, `200+` where there may be more than were read, and nothing for none. What waits for the reader is always read. */
export function useCount(view: "mine" | "open"): string {
  const count = COUNTS[view]();
  const { edge, isRead } = usePages(view, view === "mine");
  const isMore = isRead ? edge !== null : count >= SHOWN;
  return count ? `${count}${isMore ? "+" : ""}` : "";
}
