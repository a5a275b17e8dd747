import { Command } from "cmdk";

import { me } from "../boot";
import { entries, numberOf } from "../queue/entries";
import { show } from "../text/show";
import { useValue } from "../store";
import { Over } from "../ui/Over";
import { t } from "../words";
import { signOut } from "./Menu";
import { ROOMS } from "./rooms";
import { go } from "./route";
import { chooseTheme } from "./theme";
import { VIEWS } from "../queue/filter";

const MOST_REQUESTS = 60;

/** Everything that can be reached, by a few letters. */
export function Palette({ onClose }: { onClose: () => void }) {
  const all = useValue(entries);
  const requests = [...all.values()]
    .sort((one, other) => numberOf(other.approval.id) - numberOf(one.approval.id))
    .slice(0, MOST_REQUESTS);
  const then = (act: () => void) => () => {
    onClose();
    act();
  };
  return (
    <Over title={<span className="sr-only">{t("palette.title")}</span>} onClose={onClose}>
      <Command label={t("palette.title")} loop className="palette">
        <Command.Input className="field" placeholder={t("app.palette")} autoFocus />
        <Command.List className="mt-2 max-h-[50dvh] overflow-auto">
          <Command.Empty className="px-3 py-6 text-center text-muted">{t("palette.empty")}</Command.Empty>
          <Command.Group heading={t("palette.go")}>
            {ROOMS.map(({ room, icon: Icon }) => (
              <Command.Item key={room} value={`go ${t(`room.${room}`)}`} onSelect={then(() => go({ room }))}>
                <Icon size={15} aria-hidden /> {t(`room.${room}`)}
              </Command.Item>
            ))}
            {VIEWS.map((view) => (
              <Command.Item
                key={view}
                value={`go ${t(`view.${view}`)}`}
                onSelect={then(() => go({ room: "queue", query: { view } }))}
              >
                {t(`view.${view}`)}
              </Command.Item>
            ))}
          </Command.Group>
          <Command.Group heading={t("palette.requests")}>
            {requests.map(({ approval }) => (
              <Command.Item
                key={approval.id}
                value={`${approval.id} ${show(approval.title)} ${approval.requester.name}`}
                onSelect={then(() => go({ room: "queue", approval: approval.id, query: { view: "open" } }))}
              >
                <span className="font-mono text-[12px] text-muted">{approval.id}</span>
                <span className="min-w-0 flex-1 truncate">{show(approval.title)}</span>
                <span className="text-[12px] text-muted">{approval.state.replaceAll("_", " ").toLowerCase()}</span>
              </Command.Item>
            ))}
          </Command.Group>
          <Command.Group heading={t("palette.do")}>
            <Command.Item onSelect={then(() => go({ room: "remote", query: { say: "stop all because " } }))}>
              {t("palette.stopAll")}
            </Command.Item>
            <Command.Item onSelect={then(() => chooseTheme("dark"))}>
              {t("app.theme")}: {t("app.theme.dark")}
            </Command.Item>
            <Command.Item onSelect={then(() => chooseTheme("light"))}>
              {t("app.theme")}: {t("app.theme.light")}
            </Command.Item>
            <Command.Item onSelect={then(() => void signOut())}>
              {t("app.signOut")} ({me.name})
            </Command.Item>
          </Command.Group>
        </Command.List>
      </Command>
    </Over>
  );
}
