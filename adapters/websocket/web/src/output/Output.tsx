import { ArrowDown, Copy } from "lucide-react";

import { toast } from "../app/toasts";
import { show } from "../text/show";
import type { Run } from "../wire/frames";
import { t } from "../words";
import { Key } from "../ui/Key";
import { size, type Lines } from "./lines";
import { Listing } from "./Listing";
import { usePrinted } from "./outputs";
import { Standing } from "./Standing";
import { useFollow } from "./useFollow";

interface Props {
  readonly run: Run;
  readonly title: string;
  /** Beside other things, and so lower; the key for following is not its own. */
  readonly inline?: boolean;
}

/** What a run prints, as it is printed. */
export function Output({ run, title, inline = false }: Props) {
  const [printed, version] = usePrinted(run.id);
  const follow = useFollow(!inline);
  const { lines } = printed;
  const isOver = run.ended_at !== null;
  return (
    <section className="output" data-run={run.id} data-state={run.state} aria-label={`${title}, ${run.id}`}>
      <header>
        <h3 className="label">{title}</h3>
        <Standing run={run} />
        <button
          type="button"
          className="icon-button small"
          aria-label={t("output.copy")}
          title={t("output.copy")}
          disabled={lines.all.length === 0}
          onClick={() => void copy(lines)}
        >
          <Copy size={14} aria-hidden />
        </button>
      </header>
      <div className="relative">
        {lines.all.length > 0 ? (
          <Listing lines={lines} version={version} follow={follow} inline={inline} name={title} />
        ) : (
          <p className="nothing">
            {printed.problem ??
              t(!isOver ? "output.nothing" : printed.hasEnded ? "output.nothing.ended" : "output.reading")}
          </p>
        )}
        {!follow.isFollowing && (
          <button
            type="button"
            className="follow button small"
            aria-keyshortcuts={inline ? undefined : "f"}
            onClick={follow.resume}
          >
            <ArrowDown size={14} aria-hidden />
            {t(isOver ? "output.end" : "output.follow")}
            {!inline && (
              <span className="max-md:hidden">
                <Key>f</Key>
              </span>
            )}
          </button>
        )}
      </div>
    </section>
  );
}

/** The place of a run that has not begun. */
export function NoOutputYet({ title }: { title: string }) {
  return (
    <section className="output" data-state="waiting" aria-label={title}>
      <header>
        <h3 className="label">{title}</h3>
        <span className="standing tone-plain">{t("output.waits")}</span>
      </header>
      <p className="nothing">{t("output.nothing")}</p>
    </section>
  );
}

/** Copies what is shown, as it is shown: what was printed to deceive a terminal deceives none after a paste either. */
async function copy(lines: Lines): Promise<void> {
  const text = lines.all.map((each) =>
    each.kind === "text" ? show(each.text, true) : t("output.skipped", { size: size(each.bytes) }),
  );
  await navigator.clipboard.writeText(`${text.join("\n")}\n`);
  toast({ kind: "good", text: t("text.copied") });
}
