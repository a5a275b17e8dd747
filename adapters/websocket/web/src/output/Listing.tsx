import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useLayoutEffect } from "react";

import { Shown } from "../text/Shown";
import { t } from "../words";
import { size, type Line, type Lines } from "./lines";
import type { Follow } from "./useFollow";

const LINE_HEIGHT = 20;

interface Props {
  readonly lines: Lines;
  readonly version: number;
  readonly follow: Follow;
  readonly inline: boolean;
  readonly name: string;
}

/** The lines; only what can be seen of them is drawn. */
export function Listing({ lines, version, follow, inline, name }: Props) {
  const { frame } = follow;
  const rows = useVirtualizer({
    count: lines.all.length,
    getScrollElement: () => frame.current,
    estimateSize: () => LINE_HEIGHT,
    getItemKey: (at) => lines.left + at,
    overscan: 12,
  });
  const height = rows.getTotalSize();
  useLayoutEffect(follow.stick, [follow.stick, height, version]);
  return (
    <div
      ref={frame}
      className={`lines ${inline ? "low" : ""}`}
      role="region"
      aria-label={t("output.lines", { name })}
      tabIndex={0}
      onScroll={follow.scrolled}
    >
      {lines.left > 0 && <p className="gap">{t("output.left", { count: lines.left.toLocaleString("en") })}</p>}
      <div className="relative" style={{ height }}>
        {rows.getVirtualItems().map((row) => (
          <div
            key={row.key}
            ref={rows.measureElement}
            data-index={row.index}
            className="absolute inset-x-0 top-0"
            style={{ transform: `translateY(${row.start}px)` }}
          >
            <Row line={lines.all[row.index] as Line} />
          </div>
        ))}
      </div>
    </div>
  );
}

const Row = memo(function Row({ line }: { line: Line }) {
  if (line.kind === "gap")
    return (
      <p className="gap" title={t("output.skipped.text")}>
        {t("output.skipped", { size: size(line.bytes) })}
      </p>
    );
  return (
    <p className="line">
      <Shown text={line.text} multiline />
      {line.rewritten > 0 && (
        <span className="rewritten" title={t("output.rewritten.text")}>
          {t("output.rewritten", { count: line.rewritten.toLocaleString("en") })}
        </span>
      )}
    </p>
  );
});
