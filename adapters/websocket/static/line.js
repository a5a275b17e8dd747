// The command line: history, usage while typing, and the answer.

import { el, find } from "./dom.js";

const KEPT = 100;
const PLACE = "interlock.history";

export class Line {
  constructor(send) {
    this.input = find("#command");
    this.usage = find("#usage");
    this.box = find("#answer");
    this.send = send;
    this.history = JSON.parse(sessionStorage.getItem(PLACE) ?? "[]");
    this.at = this.history.length;
    this.verbs = null;
    find("#say").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("input", () => this.hint());
    this.input.addEventListener("focus", () => this.learn(), { once: true });
  }

  focus() {
    this.input.focus();
    this.input.select();
  }

  key(event) {
    if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const to = this.at + (event.key === "ArrowUp" ? -1 : 1);
      if (to < 0 || to > this.history.length) return;
      event.preventDefault();
      this.at = to;
      this.input.value = this.history[to] ?? "";
      this.hint();
    } else if (event.key === "Tab" && !event.shiftKey) {
      const fits = this.fitting();
      if (fits.length === 1 && !this.input.value.includes(" ")) {
        event.preventDefault();
        this.input.value = `${fits[0][0].split(" ")[0]} `;
        this.hint();
      }
    } else if (event.key === "Escape") {
      this.input.blur();
    }
  }

  // What may be typed, as `help` says it; asked for once, when somebody is about to type.
  async learn() {
    const reply = await this.send("help");
    this.verbs = reply.data?.items ?? [];
    this.hint();
  }

  fitting() {
    const word = this.input.value.trimStart().split(" ")[0];
    if (!word || !this.verbs) return [];
    const exact = this.verbs.filter(([usage]) => usage.split(/[ |]/)[0] === word);
    return exact.length ? exact : this.verbs.filter(([usage]) => usage.startsWith(word));
  }

  hint() {
    const fits = this.fitting();
    const [usage, summary] = fits[0] ?? [];
    if (!usage) this.usage.textContent = "";
    else if (fits.length === 1) this.usage.textContent = `${usage}   ${summary}`;
    else this.usage.textContent = fits.map(([each]) => each.split(" ")[0]).join("  ");
  }

  async submit() {
    const text = this.input.value.trim();
    if (!text) return;
    if (this.history.at(-1) !== text) this.history = [...this.history, text].slice(-KEPT);
    sessionStorage.setItem(PLACE, JSON.stringify(this.history));
    this.at = this.history.length;
    this.input.value = "";
    this.usage.textContent = "";
    const reply = await this.send(text);
    if (!reply.ok) this.input.value ||= text;
    this.say(reply.text, reply.ok ? "good" : "bad", text);
    return reply;
  }

  say(text, kind = "note", said = "") {
    this.box.className = `answer ${kind}`;
    this.box.replaceChildren(
      el(
        "div",
        {},
        said ? el("p", { class: "said" }, said) : null,
        el("p", { class: text.includes("\n") ? "text table" : "text" }, text),
      ),
      el("button", { type: "button", class: "close", "aria-label": "Close the answer", onclick: () => (this.box.hidden = true) }, "×"),
    );
    this.box.hidden = false;
  }
}
