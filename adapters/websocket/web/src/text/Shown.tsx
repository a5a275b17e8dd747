import { memo, useState } from "react";

import { t } from "../words";
import { parts, show } from "./show";

const MOST_AT_FIRST = 12_000;

/** Text from outside: never markup, and what cannot be seen is written out and marked. */
export const Shown = memo(function Shown({ text, multiline = false }: { text: string; multiline?: boolean }) {
  const [whole, setWhole] = useState(false);
  const cut = !whole && text.length > MOST_AT_FIRST;
  const shown = show(cut ? text.slice(0, MOST_AT_FIRST) : text, multiline);
  return (
    <>
      {parts(shown).map((part, at) =>
        part.mark ? (
          <mark key={at} className="hidden-character" title={t("text.hidden")}>
            {part.text}
          </mark>
        ) : (
          part.text
        ),
      )}
      {cut && (
        <button type="button" className="more" onClick={() => setWhole(true)}>
          {t("text.more", { count: (text.length - MOST_AT_FIRST).toLocaleString("en") })}
        </button>
      )}
    </>
  );
});
