import { useMemo, useState } from "react";

import { t } from "../words";
import { kindsOf } from "./diff";
import { Shown } from "./Shown";

const MOST_LINES = 300;

/** Text of fixed width, exactly and escaped. `runs` marks what would be executed. */
export function Code({ text, runs = false, wide = false }: { text: string; runs?: boolean; wide?: boolean }) {
  const kind = `code${runs ? " runs" : ""}${wide ? " wide" : ""}`;
  return (
    <pre className={kind} tabIndex={wide ? 0 : undefined}>
      {runs && (
        <span aria-hidden className="select-none text-muted">
          ${" "}
        </span>
      )}
      <Shown text={text} multiline />
    </pre>
  );
}

/** A preview, line by line; what is added, removed or changed is coloured beside its own sign. */
export function Preview({ text }: { text: string }) {
  const [whole, setWhole] = useState(false);
  const lines = useMemo(() => text.trimEnd().split("\n"), [text]);
  const kinds = useMemo(() => kindsOf(lines), [lines]);
  const shown = whole ? lines : lines.slice(0, MOST_LINES);
  return (
    <pre className="code wide diff preview" tabIndex={0}>
      {shown.map((line, at) => (
        <span key={at} className={kinds[at]}>
          <Shown text={line} multiline />
        </span>
      ))}
      {lines.length > shown.length && (
        <button type="button" className="more" onClick={() => setWhole(true)}>
          {t("text.moreLines", { count: lines.length - shown.length })}
        </button>
      )}
    </pre>
  );
}
