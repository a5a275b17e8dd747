// What a run printed, as lines: what was written over a line (a progress bar's carriage return) replaces it, and a line that
// says so tells how often. Bounded, whatever is printed.

export const MOST_LINES = 100_000;
export const MOST_CHARACTERS = 16_000_000;
/** A longer line goes on in the next one. */
export const MOST_IN_LINE = 10_000;
/** How much more than the bound there may be, so that the front is not cut off at each line. */
const SLACK = 1.1;

export type Line =
  | { readonly kind: "text"; readonly text: string; readonly rewritten: number }
  | { readonly kind: "gap"; readonly bytes: number };

export class Lines {
  readonly all: Line[] = [];
  /** How many lines were cut off at the front. */
  left = 0;
  #size = 0;
  #isOpen = false;
  #returned = false;

  /** `bytes` of what was printed next are not known. */
  gap(bytes: number): void {
    this.#close();
    this.all.push({ kind: "gap", bytes });
  }

  feed(text: string): void {
    text.split("\n").forEach((part, at) => {
      if (at > 0) this.#newline();
      if (part !== "") this.#write(part);
    });
    this.#cut();
  }

  #newline(): void {
    if (!this.#isOpen) this.#push("");
    this.#close();
  }

  #close(): void {
    this.#isOpen = false;
    this.#returned = false;
  }

  #write(part: string): void {
    part.split("\r").forEach((segment, at) => {
      if (at > 0) this.#returned = true;
      if (segment === "") return;
      const last = this.all.at(-1);
      if (!this.#isOpen || last?.kind !== "text") this.#push(segment);
      else if (this.#returned) this.#replace(segment, last.text, last.rewritten + 1);
      else this.#replace(last.text + segment, last.text, last.rewritten);
      this.#returned = false;
    });
  }

  #push(text: string): void {
    this.#isOpen = true;
    this.all.push({ kind: "text", text: "", rewritten: 0 });
    this.#replace(text, "", 0);
  }

  /** The last line is `text`, in as many lines as that takes. */
  #replace(text: string, before: string, rewritten: number): void {
    this.#size += text.length - before.length;
    this.all.pop();
    for (let at = 0; at === 0 || at < text.length; at += MOST_IN_LINE) {
      this.all.push({ kind: "text", text: text.slice(at, at + MOST_IN_LINE), rewritten: at === 0 ? rewritten : 0 });
    }
  }

  #cut(): void {
    if (this.all.length <= MOST_LINES * SLACK && this.#size <= MOST_CHARACTERS * SLACK) return;
    let count = 0;
    let size = this.#size;
    while (this.all.length - count > MOST_LINES || size > MOST_CHARACTERS) {
      const line = this.all[count++];
      if (line?.kind === "text") size -= line.text.length;
    }
    this.all.splice(0, count);
    this.left += count;
    this.#size = size;
  }
}

const KILO = 1_024;

/** `12 bytes`, `640 KB`, `1.2 MB`. */
export function size(bytes: number): string {
  if (bytes < KILO) return bytes === 1 ? "1 byte" : `${bytes} bytes`;
  if (bytes < KILO * KILO) return `${Math.round(bytes / KILO)} KB`;
  return `${(bytes / KILO / KILO).toFixed(1)} MB`;
}
