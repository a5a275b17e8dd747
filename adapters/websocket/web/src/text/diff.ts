// Which lines of a preview tell of a change. Only whole lines count, and colour is never the only sign.

export type Kind = "added" | "removed" | "changed" | "head" | "same";

const HEAD = /^(diff |index |@@|--- |\+\+\+ |Index: )/;
const CHANGED = /^\s*(~|-\/\+|\+\/-)\s/;

export function kindOf(line: string): Kind {
  if (HEAD.test(line)) return "head";
  if (CHANGED.test(line)) return "changed";
  const sign = line.trimStart().charAt(0);
  if (sign === "+") return "added";
  // A list item of YAML or prose is no removal: a minus counts at the very beginning, or before no space.
  if (line.startsWith("-") || /^\s+-(?=\S)/.test(line)) return "removed";
  return "same";
}

export function kindsOf(lines: readonly string[]): Kind[] {
  const kinds = lines.map(kindOf);
  // Without a single addition or head, lines with a minus are a list.
  const isDiff = kinds.some((kind) => kind === "added" || kind === "head" || kind === "changed");
  return isDiff ? kinds : kinds.map(() => "same");
}
