// The list of requests: what waits for you, what is under way, what ended lately.

import { find } from "./dom.js";
import { draw, waitsFor } from "./card.js";

const MOST_ENDED = 30;

export class Board {
  constructor(me, onPress) {
    this.me = me;
    this.onPress = onPress;
    this.shown = new Map();
    this.chosen = null;
    this.sections = Object.fromEntries(
      ["needs-you", "open", "ended"].map((id) => [id, { cards: find(`#${id} .cards`), count: find(`#${id} .count`) }]),
    );
    find("#board").addEventListener("click", (event) => {
      const card = event.target.closest(".card");
      if (card) this.choose(card.dataset.id, false);
    });
  }

  put(card, approval) {
    const before = this.shown.get(card.approval);
    const element = draw(card, approval, this.me, (button) => this.onPress(button, card));
    this.keepOpen(before?.element, element);
    const where = card.final ? "ended" : waitsFor(approval, this.me) ? "needs-you" : "open";
    if (!before) element.classList.add("new");
    if (card.approval === this.chosen) element.classList.add("chosen");
    const focused = before?.element.contains(document.activeElement);
    if (before && before.where === where) before.element.replaceWith(element);
    else {
      before?.element.remove();
      this.insert(where, element, Number(card.approval.slice(1)));
    }
    if (focused) element.focus({ preventScroll: true });
    this.shown.set(card.approval, { card, approval, element, where });
    this.forget();
    this.count();
  }

  // Newest first, but for what waits for you: the oldest has waited longest.
  insert(where, element, number) {
    const list = this.sections[where].cards;
    const later = [...list.children].find((other) => {
      const its = Number(other.dataset.id.slice(1));
      return where === "needs-you" ? its > number : its < number;
    });
    list.insertBefore(element, later ?? null);
  }

  keepOpen(old, fresh) {
    if (!old) return;
    const was = [...old.querySelectorAll("details")].map((each) => each.open);
    const now = [...fresh.querySelectorAll("details")];
    if (was.length === now.length) now.forEach((each, at) => (each.open = was[at]));
  }

  forget() {
    const ended = this.sections.ended.cards;
    while (ended.children.length > MOST_ENDED) {
      this.shown.delete(ended.lastElementChild.dataset.id);
      ended.lastElementChild.remove();
    }
  }

  count() {
    for (const [id, { cards, count }] of Object.entries(this.sections)) {
      count.textContent = id !== "ended" && cards.children.length ? String(cards.children.length) : "";
    }
    const waiting = this.sections["needs-you"].cards.children.length;
    document.title = waiting ? `(${waiting}) Interlock` : "Interlock";
  }

  choose(id, scroll = true) {
    this.shown.get(this.chosen)?.element.classList.remove("chosen");
    this.chosen = id;
    const entry = this.shown.get(id);
    entry?.element.classList.add("chosen");
    if (scroll) entry?.element.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  move(step) {
    const ids = [...document.querySelectorAll("#board .card")].map((each) => each.dataset.id);
    if (!ids.length) return;
    const at = ids.indexOf(this.chosen);
    this.choose(ids[at < 0 ? (step > 0 ? 0 : ids.length - 1) : Math.max(0, Math.min(ids.length - 1, at + step))]);
  }

  press(choice) {
    const found = this.shown.get(this.chosen)?.element.querySelector(`button[data-choice="${choice}"]`);
    found?.click();
  }
}
