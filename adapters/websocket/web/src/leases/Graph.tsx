import { useMemo } from "react";

import { show } from "../text/show";
import type { LeasePicture } from "../wire/frames";
import { t } from "../words";
import { BOX, layout } from "./layout";

/** Who waits for whom, drawn. The lists beside it say the same in words. */
export function Graph({ picture }: { picture: LeasePicture }) {
  const graph = useMemo(() => layout(picture), [picture]);
  if (graph.nodes.length === 0) return null;
  const at = new Map(graph.nodes.map((node) => [node.name, node]));
  return (
    <section aria-label={t("leases.graph")}>
      <h2 className="label mb-2">{t("leases.graph")}</h2>
      <div
        className="overflow-auto rounded-xl border border-line bg-sunken p-4"
        tabIndex={0}
        role="region"
        aria-label={t("leases.graph")}
      >
        <svg
          role="img"
          aria-label={graph.edges.map((edge) => t("leases.edge", { from: edge.from, to: edge.to })).join("; ")}
          width={graph.width + 2}
          height={graph.height + 2}
          viewBox={`-1 -1 ${graph.width + 2} ${graph.height + 2}`}
        >
          {graph.edges.map((edge) => {
            const from = at.get(edge.from);
            const to = at.get(edge.to);
            if (!from || !to) return null;
            const [x1, y1] = [to.x + BOX.width, to.y + BOX.height / 2];
            const [x2, y2] = [from.x, from.y + BOX.height / 2];
            const bend = Math.max(24, (x2 - x1) / 2);
            return (
              <path
                key={`${edge.from}-${edge.to}`}
                d={`M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`}
                className="fill-none stroke-muted"
                strokeWidth="1.5"
              />
            );
          })}
          {graph.nodes.map((node) => (
            <g key={node.name} transform={`translate(${node.x} ${node.y})`}>
              <rect
                width={BOX.width}
                height={BOX.height}
                rx="9"
                className={node.waits ? "fill-surface stroke-line" : "fill-run/12 stroke-run/50"}
              />
              <text x="12" y="19" className="fill-ink text-[12.5px] font-semibold">
                {cut(`${node.name} · ${show(node.who)}`)}
              </text>
              <text x="12" y="35" className="fill-muted font-mono text-[11px]">
                {cut(show(node.what))}
              </text>
            </g>
          ))}
        </svg>
      </div>
    </section>
  );
}

function cut(text: string): string {
  return text.length > 24 ? `${text.slice(0, 23)}…` : text;
}
