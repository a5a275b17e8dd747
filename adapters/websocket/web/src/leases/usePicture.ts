// What is leased now: read once, and again whenever the log says that a lease changed.

import { useQuery, useQueryClient } from "@tanstack/react-query";

import { useNews } from "../activity/useNews";
import type { LeasePicture } from "../wire/frames";
import { get } from "../wire/http";

const KEY = ["leases"] as const;
/** Heartbeats move a countdown without an entry of the log. */
const AGAIN_MS = 10_000;

export function usePicture() {
  const queries = useQueryClient();
  useNews("lease:", () => void queries.invalidateQueries({ queryKey: KEY }));
  return useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => get<LeasePicture>("/v1/leases/picture", signal),
    refetchInterval: AGAIN_MS,
    staleTime: 0,
  });
}
