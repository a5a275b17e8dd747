import { Search } from "lucide-react";
import { lazy, Suspense, useEffect, useMemo, useState } from "react";

import { me } from "../boot";
import { entries } from "../queue/entries";
import { Queue } from "../queue/Queue";
import { waitsFor } from "../queue/standing";
import { useCount } from "../queue/useCount";
import { show } from "../text/show";
import { Bones } from "../ui/Bones";
import { Key } from "../ui/Key";
import { t } from "../words";
import { Boundary } from "./Boundary";
import { Halted } from "./Halted";
import { KeyHelp } from "./KeyHelp";
import { useKeys } from "./keys";
import { notify } from "./notify";
import { LinkState, Offline } from "./LinkState";
import { Menu } from "./Menu";
import { Palette } from "./Palette";
import { ROOMS } from "./rooms";
import { go, href, useRoute, type Room } from "./route";
import { Toasts } from "./Toasts";

const Activity = lazy(() => import("../activity/Activity"));
const Leases = lazy(() => import("../leases/Leases"));
const Remote = lazy(() => import("../remote/Remote"));

const VIEWS: Record<Room, () => React.JSX.Element> = {
  queue: () => <Queue />,
  activity: () => <Activity />,
  leases: () => <Leases />,
  remote: () => <Remote />,
};

export function Shell() {
  const { room } = useRoute();
  const waiting = useCount("mine");
  const [open, setOpen] = useState<"keys" | "palette" | null>(null);
  useNotices();
  useEffect(() => {
    document.title = waiting ? `(${waiting}) ${t("app.name")}` : t("app.name");
  }, [waiting]);
  usePaletteKey(() => setOpen("palette"));
  const bindings = useMemo(
    () => ({
      "?": () => setOpen("keys"),
      ...Object.fromEntries(ROOMS.map(({ room: each }, at) => [String(at + 1), () => go({ room: each })])),
    }),
    [],
  );
  useKeys(bindings);
  return (
    <div className="flex h-full flex-col md:flex-row">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:fixed focus:left-3 focus:top-3 focus:z-50 focus:rounded-md focus:bg-raised focus:px-3 focus:py-2"
      >
        {t("app.skip")}
      </a>
      <header className="flex shrink-0 items-center gap-2 border-b border-line bg-surface px-3 py-1.5 md:w-56 md:flex-col md:items-stretch md:gap-3 md:border-b-0 md:border-r md:px-3 md:py-4">
        <a href="#/queue" className="flex min-h-9 items-center gap-2.5 px-2 text-base font-semibold tracking-tight">
          <img src="/static/logo.svg" alt="" width="24" height="24" />
          {t("app.name")}
        </a>
        <button
          type="button"
          onClick={() => setOpen("palette")}
          className="ml-auto flex min-h-9 items-center gap-2 rounded-lg border-line px-2 text-muted hover:bg-muted/10 md:ml-0 md:border md:bg-sunken"
        >
          <Search size={16} aria-hidden />
          <span className="flex-1 whitespace-nowrap text-left text-[13px] max-md:sr-only">{t("app.palette")}</span>
          <span className="hidden md:inline">
            <Key>Ctrl K</Key>
          </span>
        </button>
        <nav aria-label="Rooms" className="hidden md:block">
          <RoomLinks room={room} waiting={waiting} />
        </nav>
        <div className="flex items-center gap-2 md:mt-auto md:flex-col md:items-stretch">
          <div className="px-2">
            <LinkState />
          </div>
          <Menu />
        </div>
      </header>
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <Halted />
        <Offline />
        <main id="main" tabIndex={-1} className="min-h-0 flex-1 outline-none">
          <Boundary key={room}>
            <Suspense fallback={<Bones rows={8} />}>{VIEWS[room]()}</Suspense>
          </Boundary>
        </main>
      </div>
      <nav
        aria-label="Rooms"
        className="shrink-0 border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] md:hidden"
      >
        <RoomLinks room={room} waiting={waiting} across />
      </nav>
      {open === "keys" && <KeyHelp onClose={() => setOpen(null)} />}
      {open === "palette" && <Palette onClose={() => setOpen(null)} />}
      <Toasts />
    </div>
  );
}

function RoomLinks({ room, waiting, across = false }: { room: Room; waiting: string; across?: boolean }) {
  return (
    <ul className={across ? "grid grid-cols-4" : "grid gap-0.5"}>
      {ROOMS.map(({ room: each, icon: Icon }) => (
        <li key={each}>
          <a
            href={href({ room: each })}
            aria-current={each === room ? "page" : undefined}
            className={`relative flex items-center font-medium text-muted hover:text-ink aria-[current]:text-ink ${
              across
                ? "min-h-14 flex-col justify-center gap-0.5 text-[11px] aria-[current]:text-accent"
                : "min-h-9 gap-2.5 rounded-lg px-2.5 hover:bg-muted/8 aria-[current]:bg-muted/14"
            }`}
          >
            <Icon size={across ? 20 : 17} aria-hidden />
            {t(`room.${each}`)}
            {each === "queue" && waiting && (
              <span
                className={`rounded-full bg-accent px-1.5 text-[11px] font-semibold leading-[18px] text-on-accent ${
                  across ? "absolute left-1/2 top-1.5 ml-1.5" : "ml-auto"
                }`}
                aria-label={`${waiting} wait for you`}
              >
                {waiting}
              </span>
            )}
          </a>
        </li>
      ))}
    </ul>
  );
}

/** Tells the reader, if they asked for that, of each request that begins to wait for them. */
function useNotices(): void {
  useEffect(() => {
    const told = new Set<string>();
    return entries.listen(() => {
      for (const { approval } of entries.get().values()) {
        if (told.has(approval.id) || !waitsFor(approval, me)) continue;
        told.add(approval.id);
        notify(approval.id, show(approval.title));
      }
    });
  }, []);
}

function usePaletteKey(open: () => void): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        open();
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
}
