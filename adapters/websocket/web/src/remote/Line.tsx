import { SendHorizontal } from "lucide-react";
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from "react";

import { Key } from "../ui/Key";
import { t } from "../words";
import { complete, suggest, usage, type Language } from "./language";
import { lines, say } from "./transcript";

const MOST_SHOWN = 8;

/** The command line: what may be typed is offered as it is typed, and what was typed before comes back. */
export function Line({ language, begun, eager }: { language: Language; begun: string; eager: boolean }) {
  const [text, setText] = useState(begun);
  const [chosen, setChosen] = useState(-1);
  const [isOpen, setOpen] = useState(false);
  const back = useRef(0);
  const input = useRef<HTMLInputElement>(null);
  const list = useId();
  const found = useMemo(() => suggest(text, language).slice(0, MOST_SHOWN), [text, language]);
  const shown = isOpen ? found : [];

  useEffect(() => {
    if (begun) setText(begun);
    if (begun || eager) input.current?.focus();
  }, [begun, eager]);

  const change = (value: string) => {
    setText(value);
    setChosen(-1);
    setOpen(value !== "");
  };
  const take = (at: number) => {
    const suggestion = shown[at] ?? found[at];
    if (suggestion) change(complete(text, suggestion));
    input.current?.focus();
  };
  const recall = (step: number) => {
    const said = lines();
    back.current = Math.max(0, Math.min(said.length, back.current + step));
    setText(said[said.length - back.current] ?? "");
    setOpen(false);
  };
  const submit = async () => {
    const said = text.trim();
    if (!said) return;
    back.current = 0;
    change("");
    const reply = await say(said);
    // What was refused can be mended, unless something else is being typed by now.
    if (!reply.ok) setText((now) => (now === "" ? said : now));
  };
  const press = (event: KeyboardEvent) => {
    const wanted = {
      Tab: () => found.length > 0 && !event.shiftKey && take(Math.max(0, chosen)),
      ArrowDown: () => (shown.length ? setChosen((chosen + 1) % shown.length) : recall(-1)),
      ArrowUp: () => (shown.length && chosen >= 0 ? setChosen(chosen - 1) : recall(1)),
      Escape: () => (isOpen && shown.length ? setOpen(false) : input.current?.blur()),
      Enter: () => (chosen >= 0 && shown.length ? take(chosen) : void submit()),
    }[event.key];
    if (!wanted || (event.key === "Tab" && (found.length === 0 || event.shiftKey || text === ""))) return;
    event.preventDefault();
    wanted();
  };
  return (
    <div className="relative border-t border-line bg-surface px-3 pb-3 pt-2 md:px-6">
      {shown.length > 0 && (
        <ul
          id={list}
          role="listbox"
          aria-label={t("remote.complete")}
          className="menu absolute bottom-full left-3 mb-1 max-w-[calc(100%-24px)] md:left-6"
        >
          {shown.map((each, at) => (
            <li
              key={each.word}
              id={`${list}-${at}`}
              role="option"
              aria-selected={at === chosen}
              className={`flex items-baseline gap-4 rounded-md px-2.5 py-1.5 ${at === chosen ? "bg-accent/16" : ""}`}
              onMouseDown={(event) => {
                event.preventDefault();
                take(at);
              }}
            >
              <span className="font-mono text-[13px]">{each.word}</span>
              <span className="min-w-0 flex-1 truncate text-[12.5px] text-muted">{each.hint}</span>
            </li>
          ))}
        </ul>
      )}
      <form
        className="flex items-center gap-2 rounded-xl border border-line bg-sunken pl-3.5 pr-1.5 focus-within:border-accent"
        autoComplete="off"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <span aria-hidden className="font-mono text-lg font-semibold text-accent">
          ›
        </span>
        <input
          ref={input}
          id="command"
          role="combobox"
          aria-label={t("remote.command")}
          aria-expanded={shown.length > 0}
          aria-controls={list}
          aria-activedescendant={chosen >= 0 ? `${list}-${chosen}` : undefined}
          aria-autocomplete="list"
          className="min-h-11 min-w-0 flex-1 bg-transparent font-mono text-base outline-none placeholder:font-sans placeholder:text-muted md:text-[13.5px]"
          placeholder={t("remote.placeholder")}
          spellCheck={false}
          autoCapitalize="off"
          autoCorrect="off"
          maxLength={8192}
          enterKeyHint="send"
          value={text}
          onChange={(event) => change(event.target.value)}
          onKeyDown={press}
          onBlur={() => setOpen(false)}
        />
        <span className="max-md:hidden">
          <Key>/</Key>
        </span>
        <button type="submit" className="icon-button" aria-label={t("remote.send")}>
          <SendHorizontal size={17} />
        </button>
      </form>
      <p id="usage" className="mt-1 h-5 truncate px-1 font-mono text-[12px] text-muted">
        {usage(text, language)}
      </p>
    </div>
  );
}
