// A value outside React that components follow: set it anywhere, read it with `useValue`.

import { useSyncExternalStore } from "react";

export class Value<T> {
  #value: T;
  #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  readonly get = (): T => this.#value;

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of this.#listeners) listener();
  }

  change(change: (value: T) => T): void {
    this.set(change(this.#value));
  }

  readonly listen = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}

/** A hook for what follows from a value: worked out once for each, and drawn anew only when it differs. */
export function followed<T, R>(value: Value<T>, work: (given: T) => R): () => R {
  let known: { readonly given: T; readonly result: R } | undefined;
  const get = () => {
    const given = value.get();
    if (known?.given !== given) known = { given, result: work(given) };
    return known.result;
  };
  return () => useSyncExternalStore(value.listen, get);
}

export function useValue<T>(value: Value<T>): T {
  return useSyncExternalStore(value.listen, value.get);
}
