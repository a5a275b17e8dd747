import * as DropdownMenu from "@radix-ui/react-dropdown-menu";
import { Bell, ChevronsUpDown, LogOut } from "lucide-react";

import { me } from "../boot";
import { useValue } from "../store";
import { t } from "../words";
import { askToNotify, notifies } from "./notify";
import { chooseTheme, theme, type Theme } from "./theme";

const THEMES: readonly Theme[] = ["system", "dark", "light"];

/** Who is signed in, and what they may set for themselves. */
export function Menu() {
  const chosen = useValue(theme);
  const on = useValue(notifies);
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger className="flex min-h-10 w-full items-center gap-2.5 rounded-lg px-2 hover:bg-muted/10">
        <span
          aria-hidden
          className="grid size-7 shrink-0 place-items-center rounded-full bg-accent/20 text-[12px] font-semibold text-accent"
        >
          {initials(me.name)}
        </span>
        <span className="sr-only">{t("app.menu")}</span>
        <span className="min-w-0 flex-1 truncate text-left font-medium max-md:sr-only">{me.name}</span>
        <ChevronsUpDown size={14} className="hidden text-muted md:block" aria-hidden />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="end" sideOffset={6} collisionPadding={8}>
          <div className="menu-label">{t("app.strength", { assurance: me.assurance.replace("_", " ") })}</div>
          <DropdownMenu.CheckboxItem checked={on} onSelect={() => void askToNotify()}>
            <Bell size={15} aria-hidden />
            {on ? t("app.notify.on") : t("app.notify")}
          </DropdownMenu.CheckboxItem>
          <div className="menu-label">{t("app.theme")}</div>
          <DropdownMenu.RadioGroup value={chosen} onValueChange={(value) => chooseTheme(value as Theme)}>
            {THEMES.map((each) => (
              <DropdownMenu.RadioItem key={each} value={each}>
                <span aria-hidden className="grid size-4 place-items-center">
                  <DropdownMenu.ItemIndicator>•</DropdownMenu.ItemIndicator>
                </span>
                {t(`app.theme.${each}`)}
              </DropdownMenu.RadioItem>
            ))}
          </DropdownMenu.RadioGroup>
          <DropdownMenu.Separator className="my-1 h-px bg-line" />
          <DropdownMenu.Item onSelect={() => void signOut()}>
            <LogOut size={15} aria-hidden />
            {t("app.signOut")}
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

export async function signOut(): Promise<void> {
  await fetch("/logout", { method: "POST", redirect: "manual" });
  location.assign("/");
  location.reload();
}

function initials(name: string): string {
  const words = name.split(/\s+/).filter(Boolean);
  return ((words[0]?.[0] ?? "") + (words.length > 1 ? (words.at(-1)?.[0] ?? "") : "")).toUpperCase();
}
