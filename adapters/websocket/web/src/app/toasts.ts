// Short words that pass by. What must not be missed stands on a card instead.

import { Value } from "../store";

const STAYS_MS = 6_000;
const BAD_STAYS_MS = 12_000;
const MOST = 4;

export interface Toast {
  readonly id: number;
  readonly kind: "good" | "bad" | "note";
  readonly text: string;
}

export const toasts = new Value<readonly Toast[]>([]);

let next = 1;

export function toast(said: Omit<Toast, "id">): void {
  const id = next++;
  toasts.change((shown) => [...shown.slice(1 - MOST), { ...said, id }]);
  setTimeout(() => dismiss(id), said.kind === "bad" ? BAD_STAYS_MS : STAYS_MS);
}

export function dismiss(id: number): void {
  toasts.change((shown) => shown.filter((each) => each.id !== id));
}
