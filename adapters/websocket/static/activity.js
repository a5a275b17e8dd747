// What happens, as the log says it, in words.

import { el, find } from "./dom.js";
import { since } from "./times.js";

const MOST = 80;
const WORDS = {
  "approval:requested": ["ask", "asked for", "$"],
  "approval:drafted": ["bad", "$ went back to who asked"],
  "approval:reopened": ["ask", "$ is under review again: the world moved"],
  "approval:revised": ["ask", "changed", "$"],
  "approval:commented": ["", "commented on", "$"],
  "approval:decided": ["good", "approved", "$"],
  "approval:approved": ["good", "$ is approved, and has not run yet"],
  "approval:rejected": ["bad", "rejected", "$"],
  "approval:withdrawn": ["", "took back", "$"],
  "approval:expired": ["bad", "$ expired"],
  "approval:escalated": ["ask", "more people are asked about $"],
  "approval:reminded": ["", "people are reminded of $"],
  "apply:started": ["run", "$ started to run"],
  "apply:finished": ["good", "$ is done"],
  "apply:failed": ["bad", "$ failed"],
  "apply:unknown": ["bad", "nobody can know how $ ended"],
  "apply:resolved": ["", "said how", "$ ended"],
  "apply:stopped": ["bad", "stopped", "$"],
  "rollback:requested": ["ask", "wants to roll back", "$"],
  "rollback:started": ["run", "$ is being rolled back"],
  "rollback:finished": ["good", "$ was rolled back"],
  "rollback:failed": ["bad", "the rollback of $ failed"],
  "lease:acquired": ["run", "lease $ was granted"],
  "lease:queued": ["", "a lease waits: $"],
  "lease:released": ["", "lease $ was given back"],
  "lease:reclaimed": ["bad", "lease $ lapsed"],
  "lease:broken": ["bad", "broke lease", "$"],
  "lease:deadlock": ["bad", "a deadlock was refused: $"],
  "delegation:created": ["", "lets somebody decide for a while: $"],
  "delegation:ended": ["", "delegation $ ended"],
  "freeze:created": ["bad", "froze resources:", "$"],
  "freeze:ended": ["good", "freeze $ ended"],
  "freeze:overridden": ["bad", "let", "$ go on although it is frozen"],
  "command:refused": ["bad", "was refused"],
  "press:refused": ["bad", "pressed a button and was refused"],
  "hook:refused": ["bad", "sent a hook that cannot be read"],
  "delivery:dead": ["bad", "a copy of $ was given up"],
  "login:used": ["", "signed in"],
  "login:failed": ["bad", "a sign-in failed"],
  "key:created": ["", "a key was made for $"],
  "key:revoked": ["", "a key was revoked"],
  "hub:started": ["", "the hub started"],
  "hub:stopped": ["", "the hub stopped"],
  "hub:halted": ["bad", "stopped everything"],
  "hub:resumed": ["good", "let things run again"],
  "config:changed": ["", "another configuration is in force"],
};

export class Activity {
  constructor() {
    this.list = find("#activity");
  }

  put(news) {
    const known = WORDS[news.event];
    if (!known || (news.event === "approval:decided" && news.details.verdict !== "approve")) return;
    const [kind, ...told] = known;
    const byActor = told.length > 1 || !told[0].includes("$");
    const line = el(
      "li",
      { class: kind, title: `${news.event}, entry ${news.seq}` },
      byActor && news.actor && news.actor !== "hub" ? el("b", {}, `${news.actor} `) : null,
      ...sentence(told.join(" "), news),
      news.details?.comment ? `: ${news.details.comment}` : "",
      news.event === "command:refused" || news.event === "press:refused" ? `: ${news.details.code}` : "",
      since(news.ts),
    );
    this.list.prepend(line);
    while (this.list.children.length > MOST) this.list.lastElementChild.remove();
  }
}

function sentence(text, news) {
  const [before, after] = text.split("$");
  if (after === undefined) return [before];
  const subject = news.subject ?? "";
  const named = subject.startsWith("A") ? el("a", { href: `/approvals/${subject}` }, subject) : subject;
  return [before, named, after];
}
