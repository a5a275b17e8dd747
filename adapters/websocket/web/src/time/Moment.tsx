import { useSyncExternalStore } from "react";

import { ago, exactly, left, now, seconds } from "./moments";

const SOON_SECONDS = 600;

/** How long ago; drawn anew only when the words change. */
export function Ago({ at }: { at: string }) {
  const words = useSyncExternalStore(now.listen, () => ago(seconds(at), now.get()));
  return (
    <time dateTime={at} title={exactly(at)}>
      {words}
    </time>
  );
}

/** How long there is left, red when it is little. */
export function Left({ until }: { until: string }) {
  const words = useSyncExternalStore(now.listen, () => left(seconds(until), now.get()));
  const soon = useSyncExternalStore(now.listen, () => seconds(until) - now.get() < SOON_SECONDS);
  return (
    <time dateTime={until} title={exactly(until)} className={soon ? "countdown soon" : "countdown"}>
      {words}
    </time>
  );
}
