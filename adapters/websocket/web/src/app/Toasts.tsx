import { CircleAlert, CircleCheck, Info, X } from "lucide-react";

import { Shown } from "../text/Shown";
import { useValue } from "../store";
import { t } from "../words";
import { dismiss, toasts } from "./toasts";

const ICONS = {
  good: <CircleCheck size={18} className="mt-0.5 shrink-0 text-good" aria-hidden />,
  bad: <CircleAlert size={18} className="mt-0.5 shrink-0 text-bad" aria-hidden />,
  note: <Info size={18} className="mt-0.5 shrink-0 text-accent" aria-hidden />,
};

/** What was just said, in the corner. */
export function Toasts() {
  const shown = useValue(toasts);
  return (
    <div
      role="status"
      aria-live="polite"
      className="pointer-events-none fixed inset-x-3 bottom-20 z-50 flex flex-col items-end gap-2 md:bottom-4 md:left-auto md:right-4"
    >
      {shown.map((each) => (
        <div
          key={each.id}
          data-kind={each.kind}
          className="toast pointer-events-auto flex w-full max-w-md items-start gap-2.5 rounded-xl border border-line bg-raised px-3.5 py-2.5 shadow-(--shade)"
        >
          {ICONS[each.kind]}
          <p className="min-w-0 flex-1 whitespace-pre-wrap [overflow-wrap:anywhere]">
            <Shown text={each.text} multiline />
          </p>
          <button
            type="button"
            className="icon-button -my-1 -mr-2"
            aria-label={t("app.close")}
            onClick={() => dismiss(each.id)}
          >
            <X size={16} />
          </button>
        </div>
      ))}
    </div>
  );
}
