// Keys of the whole page. A key means nothing while somebody types, or while a dialog is open.

import { useEffect } from "react";

export type Bindings = Readonly<Record<string, (event: KeyboardEvent) => void>>;

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable=true]") !== null;
}

function isOver(): boolean {
  return document.querySelector("[role=dialog], [role=menu]") !== null;
}

export function useKeys(bindings: Bindings): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || isOver()) return;
      const act = bindings[event.key];
      if (act === undefined) return;
      event.preventDefault();
      act(event);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [bindings]);
}
