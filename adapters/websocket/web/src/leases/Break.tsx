import { inUtc } from "../time/moments";
import { Over } from "../ui/Over";
import { Question } from "../ui/Question";
import type { HeldLease } from "../wire/frames";
import { t } from "../words";

interface Props {
  readonly lease: HeldLease;
  readonly onDo: (reason: string) => void;
  readonly onClose: () => void;
}

/** The last look before another's lease is ended. */
export function Break({ lease, onDo, onClose }: Props) {
  return (
    <Over title={t("decide.break", { id: lease.lock_id })} lead={t("decide.break.lead")} onClose={onClose}>
      <Question
        label={t("leases.why")}
        needed
        most={500}
        draft={lease.silent ? t("leases.silent.why", { at: inUtc(lease.heartbeat_at) }) : ""}
        go={t("decide.break.go")}
        danger
        onDo={({ comment }) => onDo(comment)}
        onClose={onClose}
      >
        <p className="my-4">
          <code>{lease.resources.join(", ")}</code> · {lease.principal}
        </p>
      </Question>
    </Over>
  );
}
