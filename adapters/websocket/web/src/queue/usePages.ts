// The lists behind a view, page by page: whatever they answer is kept with what arrives over the wire.

import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect } from "react";

import { get, type Page } from "../wire/http";
import type { Approval } from "../wire/frames";
import { entries } from "./entries";
import type { View } from "./filter";

const PAGE = 100;
const ASKED: Record<View, string> = {
  mine: "state=open&mine=true",
  asked: "mine=true",
  open: "state=open",
  ended: "state=ended",
};

export interface Pages {
  readonly isLoading: boolean;
  readonly isLoadingMore: boolean;
  readonly hasMore: boolean;
  readonly more: () => void;
}

export function usePages(view: View): Pages {
  const query = useInfiniteQuery({
    queryKey: ["approvals", view],
    queryFn: async ({ pageParam, signal }) => {
      const cursor = pageParam === null ? "" : `&cursor=${pageParam}`;
      const page = await get<Page<Approval>>(`/v1/approvals?${ASKED[view]}&limit=${PAGE}${cursor}`, signal);
      for (const each of page.items) entries.put(each);
      return { next: page.next };
    },
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
  });
  const { fetchNextPage, hasNextPage, isFetchingNextPage, isLoading } = query;
  // What waits for the reader is decided from the oldest on, so all of it is read.
  useEffect(() => {
    if (view === "mine" && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [view, hasNextPage, isFetchingNextPage, fetchNextPage]);
  return {
    isLoading,
    isLoadingMore: isFetchingNextPage,
    hasMore: hasNextPage,
    more: () => {
      if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
    },
  };
}
