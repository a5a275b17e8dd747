// The picture of one request.

import { el } from "./dom.js";
import { since, until } from "./times.js";

const SAID = { approve: "approved", reject: "rejected", "request-changes": "asked for changes" };
const DRAWN_APART = new Set(["Needs", "Decided", "Policy", "Output", "Runs", "Check failed"]);
const DECISIONS = new Set(["approve", "reject", "request-changes"]);

// Why somebody surely cannot decide on it, in words; null when they may be able to. The hub decides all the same.
export function whyNot(approval, me) {
  if (me.kind !== "person") return "Only people decide.";
  if (!me.decides) return "You signed in with a key that may not decide.";
  if (approval.requester.id === me.id || (approval.owners ?? []).includes(me.id)) {
    return "You asked for this, or own who did; somebody else must decide.";
  }
  const seats = approval.requirements ?? [];
  if (seats.some((seat) => seat.person === me.id || me.groups.includes(seat.group))) return null;
  if ((approval.delegations ?? []).some((each) => each.by.id === me.id)) return null;
  return "The policy does not ask you for this one.";
}

export function waitsFor(approval, me) {
  if (approval.state === "APPROVED") return approval.start === "manual" && approval.requester.id === me.id;
  if (approval.state !== "REVIEWING" || whyNot(approval, me)) return false;
  return !mineOf(approval, me);
}

function mineOf(approval, me) {
  return (approval.decisions ?? []).find((each) => each.by.id === me.id)?.verdict;
}

export function draw(card, approval, me, onPress) {
  const value = (label) => card.fields.find((field) => field.label === label)?.value;
  const fold = card.final;
  const body = el(
    "div",
    { class: "body" },
    value("Runs") ? labelled("Runs exactly", el("pre", { class: "code runs" }, value("Runs"))) : null,
    claim(card),
    seats(approval),
    decisions(approval),
    facts(card),
    ...card.fields
      .filter((field) => field.label === "Check failed")
      .map((field) => labelled(field.label, el("pre", { class: "code" }, field.value))),
    preview(card),
    value("Output") ? labelled("Output", el("pre", { class: "code output", tabindex: "0" }, value("Output"))) : null,
  );
  return el(
    "article",
    { class: "card", tabindex: "-1", data: { id: card.approval, state: card.state, risk: card.risk }, "aria-label": `${card.approval}, ${card.title}` },
    el(
      "header",
      {},
      el("a", { class: "id", href: `/approvals/${card.approval}` }, card.approval),
      el("span", { class: "state" }, card.state.replaceAll("_", " ").toLowerCase()),
      el("span", {}, `${card.requester} · `, since(approval.created_at)),
      card.expires_at ? el("span", { class: "until" }, until(card.expires_at)) : null,
    ),
    el("h3", {}, card.title),
    el("p", { class: "summary" }, card.summary),
    fold ? el("details", {}, el("summary", {}, "What it was, and who decided"), body) : body,
    actions(card, approval, me, onPress),
    el("footer", {}, `policy ${value("Policy")} · revision ${approval.revision}`, card.digest ? ` · digest ${card.digest.slice(0, 12)}` : ""),
  );
}

export function exactly(card) {
  const wanted = card.fields.filter((field) => field.code && field.label !== "Output" && field.label !== "Check failed");
  return wanted.map((field) =>
    labelled(field.label, el("pre", { class: field.label === "Runs" ? "code runs" : "code" }, field.value)),
  );
}

function facts(card) {
  const shown = card.fields.filter((field) => !DRAWN_APART.has(field.label));
  if (!shown.length) return null;
  return el(
    "div",
    { class: "facts" },
    ...shown.map((field) => labelled(field.label, el("div", { class: field.code ? "value exact" : "value" }, field.value))),
  );
}

function labelled(label, child) {
  return el("div", {}, el("span", { class: "label" }, label), child);
}

function claim(card) {
  if (!card.claim) return null;
  return el(
    "figure",
    { class: "claim" },
    el("figcaption", {}, `${card.requester} says`),
    el("blockquote", {}, card.claim),
  );
}

function preview(card) {
  if (!card.preview) return null;
  const lines = card.preview.trimEnd().split("\n").length;
  const text = `Preview, ${lines} ${lines === 1 ? "line" : "lines"}`;
  return el(
    "details",
    { open: card.state === "REVIEWING" },
    el("summary", {}, text),
    el("pre", { class: "code preview", tabindex: "0" }, card.preview),
  );
}

function seats(approval) {
  const asked = approval.requirements ?? [];
  if (!asked.length || ["DRAFT", "SUBMITTED"].includes(approval.state)) return null;
  return el(
    "div",
    { class: "seats" },
    ...asked.map((seat) =>
      el(
        "span",
        { class: seat.have >= seat.count ? "seat full" : "seat", title: seat.by?.join(", ") },
        el(
          "span",
          { class: "dots", "aria-hidden": "true" },
          ...Array.from({ length: seat.count }, (_, at) => el("i", { class: at < seat.have ? "taken" : "" })),
        ),
        `${seat.have} of ${seat.count} ${seat.group ?? seat.person}`,
      ),
    ),
  );
}

function decisions(approval) {
  const given = approval.decisions ?? [];
  if (!given.length) return null;
  return el(
    "ul",
    { class: "decisions" },
    ...given.map((each) =>
      el(
        "li",
        {},
        el("b", {}, each.by.name),
        each.on_behalf_of ? ` for ${each.on_behalf_of.name}` : "",
        " ",
        el("span", { class: each.verdict }, SAID[each.verdict] ?? each.verdict),
        each.comment ? `: ${each.comment}` : "",
        el("span", { class: "where" }, ` in ${each.channel} (${each.assurance}), `, since(each.at)),
      ),
    ),
  );
}

function actions(card, approval, me, onPress) {
  if (!card.buttons.length) return null;
  const mine = mineOf(approval, me);
  const why = card.state !== "REVIEWING" ? null : mine ? `You ${SAID[mine]} it.` : whyNot(approval, me);
  const vetoes = (approval.veto ?? []).some((group) => me.groups.includes(group)) && approval.requester.id !== me.id;
  const useless = (choice) => (mine ? choice === mine : why && DECISIONS.has(choice) && !(vetoes && choice === "reject"));
  const shown = card.buttons.filter((button) => button.token && !useless(button.choice));
  return el(
    "div",
    { class: "actions" },
    ...shown.map((button) =>
      el(
        "button",
        { type: "button", class: `button ${button.style}`, data: { choice: button.choice }, onclick: () => onPress(button) },
        button.label,
      ),
    ),
    why ? el("span", { class: "why-not" }, why) : null,
  );
}
