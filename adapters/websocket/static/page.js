// The page: signs nobody in, decides nothing; it shows what the hub says, and sends what you type and press.

import { find } from "./dom.js";
import { Activity } from "./activity.js";
import { ask } from "./ask.js";
import { Board } from "./board.js";
import { Line } from "./line.js";
import { Wire } from "./wire.js";

const HISTORY = 60;
const app = find("#app");
const me = {
  id: app.dataset.id,
  name: app.dataset.name,
  kind: app.dataset.kind,
  groups: app.dataset.groups.split(" ").filter(Boolean),
  decides: app.dataset.decides === "yes",
};

const activity = new Activity();
const board = new Board(me, press);
const wire = new Wire({
  after: Math.max(0, Number(app.dataset.head) - HISTORY),
  onCard: (card, approval) => board.put(card, approval),
  onEvent: (news) => {
    activity.put(news);
    showHalt(news);
  },
  onNotice: (text) => line.say(text),
  onState: showState,
});
const line = new Line(async (text) => {
  const reply = await wire.command(text);
  if (reply.card && reply.approval) {
    board.put(reply.card, reply.approval);
    board.choose(reply.card.approval);
  }
  return reply;
});

async function press(button, card) {
  const comment = await ask(button, card);
  if (comment === null) return;
  const reply = await wire.press(button.token, comment);
  if (reply.card && reply.approval) board.put(reply.card, reply.approval);
  line.say(reply.text, reply.ok ? "good" : "bad", `${button.label} ${card.approval}`);
}

// The page was made knowing whether everything is stopped as of the entry `head`; older entries say nothing new.
function showHalt(news) {
  if (news.seq <= Number(app.dataset.head) || !["hub:halted", "hub:resumed"].includes(news.event)) return;
  const banner = find("#halted");
  banner.hidden = news.event === "hub:resumed";
  find("span", banner).textContent = `by ${news.actor}`;
}

function showState(state, wait) {
  const shown = find("#link");
  shown.dataset.state = state;
  const words = { connecting: "connecting…", live: "live", offline: `offline, next try within ${Math.ceil(wait / 1000)} s` };
  find("span", shown).textContent = words[state];
}

const KEYS = {
  "/": () => line.focus(),
  j: () => board.move(1),
  k: () => board.move(-1),
  a: () => board.press("approve"),
  r: () => board.press("reject"),
  o: () => board.chosen && location.assign(`/approvals/${board.chosen}`),
  "?": () => find("#keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  const busy = event.target.closest("input, textarea, select") || find("dialog[open]");
  if (busy || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});

find("#keys form").addEventListener("submit", () => find("#keys").close());
find("#sign-out").addEventListener("click", async () => {
  await fetch("/v1/auth/logout", { method: "POST" });
  location.assign("/");
});
