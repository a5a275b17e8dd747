// Times in the reader's own zone, the exact one on hover; countdowns that move.

import { el } from "./dom.js";

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const today = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const earlier = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const SOON_MS = 5 * 60_000;

export function since(at) {
  return keep(el("time", { datetime: at, data: { kind: "since" } }));
}

export function until(at) {
  return keep(el("time", { datetime: at, data: { kind: "until" } }));
}

function keep(time) {
  draw(time);
  return time;
}

function draw(time) {
  const at = new Date(time.getAttribute("datetime"));
  if (Number.isNaN(at.getTime())) return;
  time.title = exact.format(at);
  const ms = at - Date.now();
  if (time.dataset.kind === "until") {
    time.textContent = ms > 0 ? `${span(ms)} left` : "time is over";
    time.parentElement?.classList.toggle("soon", ms < SOON_MS);
  } else if (time.dataset.kind === "since") {
    time.textContent = ms > -45_000 ? "just now" : -ms < 3_600_000 * 12 ? `${span(-ms)} ago` : local(at);
  } else {
    time.textContent = local(at);
  }
}

function local(at) {
  const sameDay = at.toDateString() === new Date().toDateString();
  return (sameDay ? today : earlier).format(at);
}

function span(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10 && minutes * 60 !== seconds) return `${minutes} min ${seconds % 60} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}

const drawAll = () => document.querySelectorAll("time").forEach(draw);
drawAll();
setInterval(drawAll, 1000);
