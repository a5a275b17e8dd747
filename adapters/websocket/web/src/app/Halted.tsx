import { OctagonX } from "lucide-react";

import { Shown } from "../text/Shown";
import { useValue } from "../store";
import { command, halted } from "../wire/hub";
import { t } from "../words";
import { toast } from "./toasts";

/** Stands over everything while everything is stopped. */
export function Halted() {
  const why = useValue(halted);
  if (why === null) return null;
  const resume = async () => {
    const reply = await command("resume");
    if (!reply.ok) toast({ kind: "bad", text: reply.text });
  };
  return (
    <div id="halted" role="alert" className="flex items-center gap-3 bg-bad px-4 py-2.5 font-medium text-surface">
      <OctagonX size={18} aria-hidden className="shrink-0" />
      <p className="min-w-0 flex-1 [overflow-wrap:anywhere]">
        <Shown text={t("halted.title", { why })} /> {t("halted.text")}
      </p>
      <button
        type="button"
        className="rounded-md border border-current px-3 py-1 text-sm"
        onClick={() => void resume()}
      >
        {t("halted.resume")}
      </button>
    </div>
  );
}
