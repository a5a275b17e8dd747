// What is scheduled: read again whenever the log says that a schedule changed or gave its command.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { feed } from "../activity/feed";
import type { Schedule } from "../wire/frames";
import { get, type Page } from "../wire/http";

const KEY = ["schedules"] as const;

export function useSchedules() {
  const queries = useQueryClient();
  useEffect(
    () =>
      feed.listen(() => {
        if (feed.get().at(-1)?.event.startsWith("schedule:")) void queries.invalidateQueries({ queryKey: KEY });
      }),
    [queries],
  );
  return useQuery({ queryKey: KEY, queryFn: () => get<Page<Schedule>>("/v1/schedules"), refetchInterval: 30_000 });
}
