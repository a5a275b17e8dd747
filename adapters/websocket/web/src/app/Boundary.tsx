import { Component, type ReactNode } from "react";

import { t } from "../words";

/** What fails inside takes nothing else with it. */
export class Boundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return (
      <div role="alert" className="grid h-full place-content-center justify-items-center gap-3 p-8 text-center">
        <p className="text-lg font-semibold">{t("app.failed")}</p>
        <p className="text-muted">{t("app.failed.text")}</p>
        <button type="button" className="button" onClick={() => location.reload()}>
          {t("app.reload")}
        </button>
      </div>
    );
  }
}
