import { useMutation } from "@tanstack/react-query";
import { ClipboardCopy, FileText, ShieldAlert, ShieldCheck, ShieldQuestion, X } from "lucide-react";

import { toast } from "../app/toasts";
import { Code } from "../text/Code";
import { exactly } from "../time/moments";
import type { Event } from "../wire/frames";
import { get } from "../wire/http";
import { t } from "../words";
import { canCheck } from "./proof";
import { verify } from "./verify";

interface Props {
  /** The entries between the two ends of the selection, as they are shown. */
  readonly events: readonly Event[];
  readonly onClose: () => void;
}

/** What is chosen: one entry whole, with its proof; or a stretch, in words. */
export function Aside({ events, onClose }: Props) {
  const first = events[0] as Event;
  const last = events.at(-1) as Event;
  return (
    <aside
      aria-label={t("activity.chosen")}
      className="flex min-h-0 flex-col gap-4 overflow-auto border-line bg-surface p-4 max-lg:max-h-[55%] max-lg:border-t lg:w-[400px] lg:shrink-0 lg:border-l"
    >
      <header className="flex items-center justify-between gap-2">
        <h2 className="font-semibold">
          {first === last
            ? t("activity.entry", { seq: first.seq })
            : t("activity.stretch", { count: events.length, from: first.seq, to: last.seq })}
        </h2>
        <button type="button" className="icon-button" aria-label={t("app.close")} onClick={onClose}>
          <X size={16} />
        </button>
      </header>
      {first === last && <One key={first.seq} event={first} />}
      <Words key={`${first.seq}-${last.seq}`} from={first.seq} to={last.seq} />
      {first === last && <p className="text-[12.5px] text-muted">{t("activity.extend")}</p>}
    </aside>
  );
}

function One({ event }: { event: Event }) {
  return (
    <>
      <p className="text-[13px] text-muted">
        <span className="font-mono">{event.event}</span> · {exactly(event.ts)}
      </p>
      <Badge event={event} />
      <Code text={JSON.stringify(event.details, null, 2)} wide />
    </>
  );
}

/** Whether the log really holds it, checked here against the signed checkpoint. */
function Badge({ event }: { event: Event }) {
  const checking = useMutation({ mutationFn: () => verify(event) });
  if (!canCheck()) return <p className="text-[13px] text-muted">{t("verify.insecure")}</p>;
  if (checking.data) {
    const { size, key, known } = checking.data;
    return (
      <div className="verified rounded-lg border border-good/40 bg-good/8 p-3 text-[13px]" role="status">
        <p className="flex items-center gap-2 font-medium text-good">
          <ShieldCheck size={17} aria-hidden /> {t("verify.holds")}
        </p>
        <p className="mt-1 text-muted [overflow-wrap:anywhere]">
          {t("verify.under", { size: size.toLocaleString("en"), key })} {!known && t("verify.first")}
        </p>
      </div>
    );
  }
  if (checking.error) {
    return (
      <div className="unproven rounded-lg border border-bad/50 bg-bad/8 p-3 text-[13px] text-bad" role="alert">
        <p className="flex items-center gap-2 font-medium">
          <ShieldAlert size={17} aria-hidden /> {t("verify.fails")}
        </p>
        <p className="mt-1 [overflow-wrap:anywhere]">{checking.error.message}</p>
      </div>
    );
  }
  return (
    <button type="button" className="button verify" disabled={checking.isPending} onClick={() => checking.mutate()}>
      <ShieldQuestion size={16} aria-hidden /> {checking.isPending ? t("verify.checking") : t("verify.check")}
    </button>
  );
}

function Words({ from, to }: { from: number; to: number }) {
  const telling = useMutation({
    mutationFn: () => get<{ text: string }>(`/v1/events/summary?after=${from - 1}&until=${to}`),
  });
  const text = telling.data?.text;
  if (text === undefined) {
    return (
      <div>
        <button
          type="button"
          className="button summarise"
          disabled={telling.isPending}
          onClick={() => telling.mutate()}
        >
          <FileText size={16} aria-hidden /> {t("activity.summarise")}
        </button>
        {telling.error && <p className="mt-1 text-[13px] text-bad">{telling.error.message}</p>}
      </div>
    );
  }
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    toast({ kind: "good", text: t("text.copied") });
  };
  return (
    <div className="summary-text grid gap-2">
      <Code text={text} />
      <button type="button" className="button small justify-self-start" onClick={() => void copy()}>
        <ClipboardCopy size={14} aria-hidden /> {t("text.copy")}
      </button>
    </div>
  );
}
