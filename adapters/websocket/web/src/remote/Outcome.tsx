import { href } from "../app/route";
import { entries } from "../queue/entries";
import { StateChip, toneOfState, wordOf } from "../queue/StateChip";
import { useValue } from "../store";
import { maybe, t } from "../words";

interface Came {
  readonly code: string | null;
  readonly approval: string | null;
  readonly state: string | null;
}

/** What came of one command that was given by itself: the request with its state of now, or why it was refused. */
export function Outcome({ code, approval, state }: Came) {
  const known = useValue(entries).get(approval ?? "")?.approval;
  if (approval === null) {
    const isBad = code !== null && code !== "ok";
    return (
      <span className={isBad ? "text-bad" : "text-muted"}>
        {isBad
          ? t("byItself.refused", { why: maybe(`code.${code}`) ?? code.replaceAll("_", " ") })
          : t("byItself.done")}
      </span>
    );
  }
  return (
    <span className="inline-flex items-center gap-2">
      <a
        className="font-mono text-[13px] text-accent hover:underline"
        href={href({ room: "queue", approval, query: { view: "open" } })}
      >
        {approval}
      </a>
      {known ? (
        <StateChip approval={known} />
      ) : (
        state !== null && (
          <span className={`chip ${toneOfState(state)}`}>
            <i aria-hidden />
            {wordOf(state)}
          </span>
        )
      )}
    </span>
  );
}
