import { useSyncExternalStore } from "react";

import { useValue } from "../store";
import { now } from "../time/moments";
import { link, retry } from "../wire/hub";
import { t } from "../words";

const TONES = { live: "bg-good", connecting: "bg-warn animate-pulse", offline: "bg-bad" };

/** Whether the page hears the hub. */
export function LinkState() {
  const state = useValue(link);
  const rest = useSyncExternalStore(now.listen, () =>
    state.kind === "offline" ? Math.max(1, Math.ceil(state.againAt / 1000 - now.get())) : 0,
  );
  const words = state.kind === "offline" ? t("link.offline", { seconds: rest }) : t(`link.${state.kind}`);
  return (
    <p
      id="link"
      data-state={state.kind}
      role="status"
      className="flex h-7 items-center gap-2 whitespace-nowrap text-[13px] text-muted"
    >
      <i aria-hidden className={`size-2 rounded-full ${TONES[state.kind]}`} />
      <span>{words}</span>
    </p>
  );
}

/** Said aloud while there is no connection. */
export function Offline() {
  const state = useValue(link);
  if (state.kind !== "offline") return null;
  return (
    <div
      role="alert"
      className="flex items-center gap-3 border-b border-line bg-warn/12 px-4 py-2 text-[13px] text-warn"
    >
      <span className="flex-1">{t("link.banner")}</span>
      <button type="button" className="button small" onClick={retry}>
        {t("link.retry")}
      </button>
    </div>
  );
}
