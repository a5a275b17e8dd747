import { useSyncExternalStore } from "react";

import { exactly, lasted, now } from "../time/moments";
import type { Run } from "../wire/frames";
import { maybe, t } from "../words";

const TONES: Record<string, string> = { running: "run", completed: "good", failed: "bad", unknown: "warn" };

/** How a run stands, and for how long it has been running or had. */
export function Standing({ run }: { run: Run }) {
  const state = maybe(`output.state.${run.state}`) ?? run.state;
  return (
    <span className={`standing tone-${TONES[run.state] ?? "plain"} ${run.ended_at === null ? "moving" : ""}`}>
      <span role="status">
        <i aria-hidden />
        {run.exit === null ? state : t("output.exit", { state, exit: run.exit })}
      </span>
      <Lasted run={run} />
    </span>
  );
}

function Lasted({ run }: { run: Run }) {
  const began = Date.parse(run.started_at);
  const words = useSyncExternalStore(now.listen, () =>
    run.ended_at === null
      ? lasted(Math.floor((now.get() * 1000 - began) / 1000) * 1000)
      : lasted(Date.parse(run.ended_at) - began),
  );
  return (
    <time className="lasted" title={exactly(run.started_at)}>
      {words}
    </time>
  );
}
