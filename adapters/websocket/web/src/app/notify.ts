// Notifications of the browser, once the reader asked for them: something waits for you.

import { Value } from "../store";
import { t } from "../words";
import { toast } from "./toasts";
import { go } from "./route";

const KEY = "interlock.notify";

const granted = (): boolean => "Notification" in globalThis && Notification.permission === "granted";

export const notifies = new Value(granted() && localStorage.getItem(KEY) === "yes");

/** Turn them on, asking the browser's leave, or off again. */
export async function askToNotify(): Promise<void> {
  if (notifies.get()) {
    localStorage.removeItem(KEY);
    notifies.set(false);
    return;
  }
  const leave = "Notification" in globalThis ? await Notification.requestPermission() : "denied";
  if (leave !== "granted") {
    toast({ kind: "bad", text: t("app.notify.refused") });
    return;
  }
  localStorage.setItem(KEY, "yes");
  notifies.set(true);
}

/** Tell of a request that began to wait for the reader, unless they are looking. */
export function notify(id: string, title: string): void {
  if (!notifies.get() || document.visibilityState === "visible") return;
  const told = new Notification(t("app.name"), { body: t("app.notify.waits", { id, title }), tag: id });
  told.onclick = () => {
    focus();
    go({ room: "queue", approval: id });
    told.close();
  };
}
