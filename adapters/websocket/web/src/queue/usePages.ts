// The lists behind a view, page by page: whatever they answer is kept with what arrives over the wire.

import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback } from "react";

import { me } from "../boot";
import { get, type Page } from "../wire/http";
import type { Approval } from "../wire/frames";
import { entries, numberOf } from "./entries";
import { isOldestFirst, type View } from "./filter";

const PAGE = 100;

const ASKED: Record<View, string> = {
  mine: "state=open&mine=true",
  asked: `requester=${encodeURIComponent(me.id)}`,
  open: "state=open",
  ended: "state=ended",
};

export interface Pages {
  readonly isLoading: boolean;
  /** Whether any of it was read. */
  readonly isRead: boolean;
  readonly hasFailed: boolean;
  /** The number up to which the list was read, in its order; null once there is no more to read. */
  readonly edge: number | null;
  readonly more: () => void;
}

/** What there is of the view; read at once, or with `enabled` false only if another reads it. */
export function usePages(view: View, enabled = true): Pages {
  const query = useInfiniteQuery({
    queryKey: ["approvals", view],
    queryFn: async ({ pageParam, signal }) => {
      const order = isOldestFirst(view) ? "oldest" : "newest";
      const cursor = pageParam === null ? "" : `&cursor=${pageParam}`;
      const path = `/v1/approvals?${ASKED[view]}&order=${order}&limit=${PAGE}${cursor}`;
      const page = await get<Page<Approval>>(path, signal);
      for (const each of page.items) entries.put(each);
      return { next: page.next };
    },
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    // The wire keeps what was read as it is now.
    staleTime: Infinity,
    enabled,
  });
  const { fetchNextPage, refetch, isFetching, isLoading, isError: hasFailed } = query;
  const last = query.data?.pages.at(-1);
  const next = last?.next ?? null;
  const more = useCallback(() => {
    if (isFetching) return;
    if (next !== null) void fetchNextPage();
    else if (hasFailed) void refetch();
  }, [next, hasFailed, isFetching, fetchNextPage, refetch]);
  return { isLoading, isRead: last !== undefined, hasFailed, edge: next === null ? null : numberOf(next), more };
}
