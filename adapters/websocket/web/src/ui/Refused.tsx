import { CircleAlert } from "lucide-react";

import { t } from "../words";
import { Empty } from "./Empty";

/** What could not be read, why, and another try. */
export function Refused({ why, onRetry }: { why: string; onRetry: () => void }) {
  return (
    <Empty icon={<CircleAlert size={32} />} title={t("app.unread")}>
      <p className="mb-3">{why}</p>
      <button type="button" className="button" onClick={onRetry}>
        {t("link.retry")}
      </button>
    </Empty>
  );
}
