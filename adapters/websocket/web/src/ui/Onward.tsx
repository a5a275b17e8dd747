import { RotateCw } from "lucide-react";

import { t } from "../words";

interface Props {
  readonly hasFailed: boolean;
  readonly onRead: () => void;
}

/** Below a list of which more is read; after a failure it is the reader who tries again. */
export function Onward({ hasFailed, onRead }: Props) {
  if (!hasFailed) return <p className="p-2.5 text-center text-[13px] text-muted">{t("list.reading")}</p>;
  return (
    <div className="p-1.5 text-center" role="alert">
      <button type="button" className="button ghost small" onClick={onRead}>
        <RotateCw size={14} aria-hidden /> {t("list.failed")}
      </button>
    </div>
  );
}
