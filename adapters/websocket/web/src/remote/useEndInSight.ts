import { useCallback, type RefCallback } from "react";

const NEAR = 40;

/** A frame whose end stays in sight while what is in it grows, as runs print, unless somebody scrolled up. */
export function useEndInSight(): RefCallback<HTMLElement> {
  return useCallback((frame: HTMLElement | null) => {
    if (frame === null) return;
    let height = frame.scrollHeight;
    const grown = new ResizeObserver(() => {
      const wasAtEnd = height - frame.scrollTop - frame.clientHeight < NEAR;
      height = frame.scrollHeight;
      if (wasAtEnd) frame.scrollTop = height;
    });
    const watch = () => [...frame.children].forEach((each) => grown.observe(each));
    const replaced = new MutationObserver(watch);
    replaced.observe(frame, { childList: true });
    watch();
    return () => {
      grown.disconnect();
      replaced.disconnect();
    };
  }, []);
}
