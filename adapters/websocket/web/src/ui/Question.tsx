import { useId, useRef, useState, type ReactNode } from "react";

import { t } from "../words";

/** What was given with a yes: the reason or comment, and what was typed to confirm it. */
export interface Given {
  readonly comment: string;
  readonly confirm: string;
}

interface Props {
  readonly label: string;
  /** Whether it cannot be left empty. */
  readonly needed: boolean;
  readonly most?: number;
  /** What stands there to begin with. */
  readonly draft?: string;
  /** What has to be typed before it is done; null where the press is enough. */
  readonly confirm?: string | null;
  readonly go: string;
  readonly danger?: boolean;
  readonly busy?: boolean;
  /** Whether its first field takes the focus. */
  readonly eager?: boolean;
  /** What went wrong after it was sent. */
  readonly error?: string | undefined;
  readonly onDo: (given: Given) => void;
  readonly onClose: () => void;
  /** What it is about, above the fields. */
  readonly children?: ReactNode;
}

/** The last look before something is done: what it is about, why, what must be typed, and the two ways out. */
export function Question({
  label,
  needed,
  most = 4096,
  draft = "",
  confirm = null,
  go,
  danger = false,
  busy = false,
  eager = true,
  error,
  onDo,
  onClose,
  children,
  ...marks
}: Props & { "data-choice"?: string | undefined }) {
  const [comment, setComment] = useState(draft);
  const [typed, setTyped] = useState("");
  const [wrong, setWrong] = useState("");
  const reason = useRef<HTMLTextAreaElement>(null);
  const confirmation = useRef<HTMLInputElement>(null);
  const names = { reason: useId(), confirm: useId(), wrong: useId() };

  const submit = () => {
    if (busy) return;
    if (confirm !== null && !isSame(typed, confirm)) {
      setWrong(t(typed.trim() ? "decide.type.wrong" : "decide.type.missing", { id: confirm }));
      confirmation.current?.focus();
    } else if (needed && !comment.trim()) {
      setWrong(t("decide.reason.missing"));
      reason.current?.focus();
    } else {
      setWrong("");
      onDo({ comment: comment.trim(), confirm: typed.trim() });
    }
  };
  return (
    <form
      {...marks}
      className="decide"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
      }}
    >
      {children}
      {confirm !== null && (
        <div className="mb-3">
          <label htmlFor={names.confirm} className="label mb-1 block">
            {t("decide.type", { id: confirm })}
          </label>
          <input
            id={names.confirm}
            ref={confirmation}
            className="field confirm font-mono"
            autoComplete="off"
            autoCapitalize="characters"
            spellCheck={false}
            autoFocus={eager}
            maxLength={64}
            value={typed}
            aria-describedby={names.wrong}
            onChange={(event) => setTyped(event.target.value)}
          />
        </div>
      )}
      <label htmlFor={names.reason} className="label mb-1 block">
        {label}
      </label>
      <textarea
        id={names.reason}
        ref={reason}
        className="field"
        rows={needed ? 3 : 2}
        maxLength={most}
        autoFocus={eager && confirm === null}
        value={comment}
        aria-describedby={names.wrong}
        onChange={(event) => setComment(event.target.value)}
      />
      <p id={names.wrong} role="alert" className="wrong mt-1 min-h-5 text-[13px] text-bad">
        {wrong || error}
      </p>
      <div className="mt-2 flex justify-end gap-2">
        <button type="button" className="button" onClick={onClose}>
          {t("app.cancel")}
        </button>
        <button type="submit" disabled={busy} className={`button primary go ${danger ? "danger" : ""}`}>
          {go}
        </button>
      </div>
    </form>
  );
}

/** Whether that was typed, in whatever case; the hub judges it all the same. */
export function isSame(typed: string, wanted: string): boolean {
  return typed.trim().toUpperCase() === wanted;
}
