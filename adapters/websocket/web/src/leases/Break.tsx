import { useId, useState } from "react";

import { Over } from "../ui/Over";
import type { HeldLease } from "../wire/frames";
import { t } from "../words";

/** The last look before another's lease is ended. */
export function Break({
  lease,
  onDo,
  onClose,
}: {
  lease: HeldLease;
  onDo: (reason: string) => void;
  onClose: () => void;
}) {
  const [reason, setReason] = useState("");
  const [wrong, setWrong] = useState("");
  const names = { reason: useId(), wrong: useId() };
  return (
    <Over title={t("decide.break", { id: lease.lock_id })} lead={t("decide.break.lead")} onClose={onClose}>
      <form
        className="decide mt-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (reason.trim()) onDo(reason.trim());
          else setWrong(t("decide.reason.missing"));
        }}
      >
        <p className="mb-3">
          <code>{lease.resources.join(", ")}</code> · {lease.principal}
        </p>
        <label htmlFor={names.reason} className="label mb-1 block">
          {t("leases.why")}
        </label>
        <textarea
          id={names.reason}
          className="field"
          rows={3}
          maxLength={500}
          autoFocus
          value={reason}
          aria-describedby={names.wrong}
          onChange={(event) => setReason(event.target.value)}
        />
        <p id={names.wrong} role="alert" className="wrong mt-1 min-h-5 text-[13px] text-bad">
          {wrong}
        </p>
        <div className="mt-2 flex justify-end gap-2">
          <button type="button" className="button" onClick={onClose}>
            {t("app.cancel")}
          </button>
          <button type="submit" className="button primary danger go">
            {t("decide.break.go")}
          </button>
        </div>
      </form>
    </Over>
  );
}
