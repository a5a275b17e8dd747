import { NoOutputYet, Output } from "../output/Output";
import type { Approval } from "../wire/frames";
import { t } from "../words";

/** What ran for a request, and what it printed; a place for it as soon as it will. */
export function Outputs({ approval, inline = false }: { approval: Approval; inline?: boolean }) {
  const { run, rollback_run: rollback } = approval;
  const begins =
    run === null && approval.state === "APPROVED" && (approval.start !== "manual" || approval.apply_asked_at !== null);
  return (
    <>
      {begins && <NoOutputYet title={t("output.title")} />}
      {run && <Output key={run.id} run={run} title={t("output.title")} inline={inline} />}
      {rollback && <Output key={rollback.id} run={rollback} title={t("output.rollback")} inline={inline} />}
    </>
  );
}
