import { useMutation } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";

import { Over } from "../ui/Over";
import type { Rehearsal, Trigger } from "../wire/frames";
import { send } from "../wire/http";
import { t } from "../words";
import { Would } from "./Would";

const SAMPLE = "{}";

interface Props {
  readonly trigger: Trigger;
  readonly seq?: number;
  readonly onClose: () => void;
}

/** What a trigger would do, on an entry of the log or on a message to its hook. Nothing is done. */
export function Rehearse({ trigger, seq, onClose }: Props) {
  const isHooked = trigger.on.some((each) => each.startsWith("hook:") && each !== "hook:refused");
  const [entry, setEntry] = useState(seq === undefined ? "" : String(seq));
  const [body, setBody] = useState(SAMPLE);
  const field = useId();
  const trying = useMutation({
    mutationFn: (what: object) =>
      send<Rehearsal>("POST", `/v1/triggers/${encodeURIComponent(trigger.name)}/test`, { body: what }),
  });
  const [wrong, setWrong] = useState("");
  const { mutate } = trying;

  useEffect(() => {
    if (!isHooked) mutate(seq === undefined ? {} : { seq });
  }, [isHooked, seq, mutate]);

  const submit = () => {
    const what = isHooked ? messageOf(body) : entryOf(entry);
    setWrong(what === null ? t(isHooked ? "rehearse.wrong.message" : "rehearse.wrong.entry") : "");
    if (what !== null) mutate(what);
  };
  return (
    <Over title={t("rehearse.title", { name: trigger.name })} lead={t("rehearse.lead")} onClose={onClose}>
      <form
        className="rehearse mt-4"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
        }}
      >
        <label htmlFor={field} className="label mb-1 block">
          {t(isHooked ? "rehearse.message" : "rehearse.entry")}
        </label>
        <div className={isHooked ? "grid gap-2" : "flex gap-2"}>
          {isHooked ? (
            <textarea
              id={field}
              className="field font-mono text-[13px]"
              rows={6}
              maxLength={100_000}
              spellCheck={false}
              autoFocus
              value={body}
              onChange={(event) => setBody(event.target.value)}
            />
          ) : (
            <input
              id={field}
              className="field font-mono"
              inputMode="numeric"
              autoComplete="off"
              autoFocus
              placeholder={t("rehearse.last")}
              value={entry}
              onChange={(event) => setEntry(event.target.value)}
            />
          )}
          <button type="submit" className="button primary go justify-self-end" disabled={trying.isPending}>
            {t("triggers.try")}
          </button>
        </div>
        <p role="alert" className="wrong mt-1 min-h-5 text-[13px] text-bad">
          {wrong || trying.error?.message}
        </p>
      </form>
      <div aria-live="polite" className="min-h-44">
        {trying.data ? (
          <Would rehearsal={trying.data} when={trigger.when} />
        ) : (
          trying.isPending && <div className="skeleton h-28" role="status" aria-label={t("rehearse.trying")} />
        )}
      </div>
      <div className="mt-4 flex justify-end">
        <button type="button" className="button" onClick={onClose}>
          {t("app.close")}
        </button>
      </div>
    </Over>
  );
}

/** What is asked of the hub for an entry; null for what is no number of one. */
function entryOf(text: string): object | null {
  const said = text.trim().replace(/^#/, "");
  if (said === "") return {};
  return /^[1-9]\d{0,14}$/.test(said) ? { seq: Number(said) } : null;
}

function messageOf(text: string): object | null {
  try {
    return { body: JSON.parse(text) as unknown };
  } catch {
    return null;
  }
}
