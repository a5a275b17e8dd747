// Text that is what it looks like, exactly as `core.text.show` on the hub makes it.

import { RANGES } from "./invisible";

const LOWEST_BEYOND_ASCII = 0x7f;

function isHidden(code: number): boolean {
  let low = 0;
  let high = RANGES.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const [first, last] = RANGES[middle] as readonly [number, number];
    if (code < first) high = middle - 1;
    else if (code > last) low = middle + 1;
    else return true;
  }
  return false;
}

/** `text` with everything invisible written out, as in `⟨U+202E⟩`; with `multiline` line feeds and tabs stay. */
export function show(text: string, multiline = false): string {
  let shown = "";
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    const plain = (code >= 0x20 && code < LOWEST_BEYOND_ASCII) || (multiline && (code === 0x0a || code === 0x09));
    shown += plain || !isHidden(code) ? character : `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  }
  return shown;
}

export interface Part {
  readonly text: string;
  /** Whether it stands for a character that nobody could see. */
  readonly mark: boolean;
}

const MARK = /(⟨U\+[0-9A-F]{4,6}⟩)/;

/** Shown text in parts, so that marks can be told from what was typed around them. */
export function parts(shown: string): Part[] {
  return shown
    .split(MARK)
    .map((text, at) => ({ text, mark: at % 2 === 1 }))
    .filter((part) => part.text !== "");
}
