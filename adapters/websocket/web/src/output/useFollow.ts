// Stays at the end of what grows, until somebody scrolls up.

import { useCallback, useMemo, useRef, useState, type RefObject } from "react";

import { useKeys } from "../app/keys";

/** As near to the end as this is at the end. */
const NEAR = 12;
const NO_KEYS = {};

export interface Follow {
  readonly frame: RefObject<HTMLDivElement | null>;
  readonly isFollowing: boolean;
  /** After each change: the end is in sight, if it is followed. */
  readonly stick: () => void;
  readonly scrolled: () => void;
  /** Go to the end, and follow it again. */
  readonly resume: () => void;
}

export function useFollow(hasKey: boolean): Follow {
  const frame = useRef<HTMLDivElement | null>(null);
  const [isFollowing, setFollowing] = useState(true);
  const top = useRef(0);
  const toEnd = useCallback(() => {
    if (frame.current) frame.current.scrollTop = frame.current.scrollHeight;
  }, []);
  const stick = useCallback(() => {
    if (isFollowing) toEnd();
  }, [isFollowing, toEnd]);
  const resume = useCallback(() => {
    setFollowing(true);
    toEnd();
  }, [toEnd]);
  const scrolled = useCallback(() => {
    const { scrollTop, scrollHeight, clientHeight } = frame.current as HTMLDivElement;
    if (scrollHeight - scrollTop - clientHeight <= NEAR) setFollowing(true);
    else if (scrollTop < top.current) setFollowing(false);
    top.current = scrollTop;
  }, []);
  useKeys(useMemo(() => (hasKey ? { f: resume } : NO_KEYS), [hasKey, resume]));
  return { frame, isFollowing, stick, scrolled, resume };
}
