// One approval as it is now; who follows it is not drawn anew for the others.

import { useCallback, useSyncExternalStore } from "react";

import { entries, type Entry } from "./entries";

export function useEntry(id: string): Entry | undefined {
  return useSyncExternalStore(
    entries.listen,
    useCallback(() => entries.get().get(id), [id]),
  );
}
