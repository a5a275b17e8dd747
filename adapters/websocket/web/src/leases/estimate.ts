import { t } from "../words";

/** About how long, in words that promise nothing. */
export function about(seconds: number | null): string {
  if (seconds === null) return t("leases.estimate.unknown");
  if (seconds < 5) return t("leases.estimate.now");
  if (seconds < 90) return t("leases.estimate.seconds", { count: Math.round(seconds / 5) * 5 });
  if (seconds < 5400) return t("leases.estimate.minutes", { count: Math.round(seconds / 60) });
  return t("leases.estimate.hours", { count: Math.round(seconds / 3600) });
}
