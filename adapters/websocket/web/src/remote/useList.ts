// Schedules and triggers: read again whenever the log says something of them, and changed at once on the screen.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { useNews } from "../activity/useNews";
import { toast } from "../app/toasts";
import { get, send, type Page } from "../wire/http";

const AGAIN_MS = 30_000;

type Name = "schedules" | "triggers";

export function useList<T>(name: Name) {
  const queries = useQueryClient();
  const family = name === "schedules" ? "schedule:" : "trigger:";
  useNews(family, () => void queries.invalidateQueries({ queryKey: [name] }));
  return useQuery({ queryKey: [name], queryFn: () => get<Page<T>>(`/v1/${name}`), refetchInterval: AGAIN_MS });
}

/** What is asked of the hub, and what the item looks like if it agrees. */
interface Change<T> {
  readonly path: string;
  readonly body: object;
  readonly is: (item: T) => boolean;
  readonly now: Partial<T>;
}

/** Shown at once, and taken back when the hub refuses. */
export function useChange<T>(name: Name) {
  const queries = useQueryClient();
  const key = [name];
  return useMutation({
    mutationFn: ({ path, body }: Change<T>) => send("PATCH", `/v1/${name}/${path}`, { body }),
    onMutate: async ({ is, now }) => {
      await queries.cancelQueries({ queryKey: key });
      const before = queries.getQueryData<Page<T>>(key);
      queries.setQueryData<Page<T>>(
        key,
        (page) => page && { ...page, items: page.items.map((each) => (is(each) ? { ...each, ...now } : each)) },
      );
      return before;
    },
    onError: (error, _, before) => {
      queries.setQueryData(key, before);
      toast({ kind: "bad", text: error.message });
    },
    onSettled: () => queries.invalidateQueries({ queryKey: key }),
  });
}
