// Dark, light, or as the system has it. The choice is a cookie, so that the hub sends the page in the right one.

import { Value } from "../store";

export type Theme = "system" | "dark" | "light";

const YEAR_SECONDS = 31_536_000;
const chosen = document.documentElement.dataset["theme"];

export const theme = new Value<Theme>(chosen === "dark" || chosen === "light" ? chosen : "system");

export function chooseTheme(wanted: Theme): void {
  const life = wanted === "system" ? 0 : YEAR_SECONDS;
  document.cookie = `interlock_theme=${wanted}; Path=/; Max-Age=${life}; SameSite=Lax`;
  theme.set(wanted);
}

export function followTheme(): void {
  theme.listen(() => {
    const wanted = theme.get();
    if (wanted === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = wanted;
  });
}
