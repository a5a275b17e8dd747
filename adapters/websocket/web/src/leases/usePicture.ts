// What is leased now: read once, and again whenever the log says that a lease changed.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { feed } from "../activity/feed";
import type { LeasePicture } from "../wire/frames";
import { get } from "../wire/http";

const KEY = ["leases"] as const;
const SETTLE_MS = 150;
/** Heartbeats move a countdown without an entry of the log. */
const AGAIN_MS = 10_000;

export function usePicture() {
  const queries = useQueryClient();
  useEffect(() => {
    let seen = feed.get().at(-1)?.seq ?? 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = feed.listen(() => {
      const fresh = feed.get().filter((event) => event.seq > seen && event.event.startsWith("lease:"));
      seen = feed.get().at(-1)?.seq ?? seen;
      if (!fresh.length) return;
      clearTimeout(timer);
      timer = setTimeout(() => void queries.invalidateQueries({ queryKey: KEY }), SETTLE_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [queries]);
  return useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => get<LeasePicture>("/v1/leases/picture", signal),
    refetchInterval: AGAIN_MS,
    staleTime: 0,
  });
}
