// The WebSocket to the hub: answers by id, entries and cards as they come, and coming back after a break.
//
// Nothing is lost over a break: `after` is the seq of the last entry that arrived, and the hub goes on from there.

import type { Approval, Card, Event, Output, Received, Reply, Sent } from "./frames";

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 15_000;
const PING_MS = 25_000;

export type LinkState =
  { readonly kind: "connecting" } | { readonly kind: "live" } | { readonly kind: "offline"; readonly againAt: number };

export interface Hears {
  card(card: Card, approval: Approval): void;
  event(event: Event): void;
  notice(text: string): void;
  link(state: LinkState): void;
  /** The hub answers and does not know us any more. */
  signedOut(): void;
}

/** Who follows what a run prints. `offset` is where it goes on after a break. */
export interface Watcher {
  readonly run: string;
  readonly offset: number;
  take(output: Output): void;
  refused(text: string): void;
}

type Numberless<T> = T extends unknown ? Omit<T, "id"> : never;
export type Question = Numberless<Extract<Sent, { type: "command" | "press" | "show" }>>;

const BROKEN: Reply = {
  ok: false,
  code: "connection_lost",
  text: "The connection broke before the answer came; look whether it was done.",
};
const OFFLINE: Reply = { ok: false, code: "offline", text: "There is no connection to the hub just now." };

export class Wire {
  #socket: WebSocket | null = null;
  #waiting = new Map<number, (reply: Reply) => void>();
  #watchers = new Map<string, Watcher>();
  #next = 1;
  #wait = FIRST_WAIT_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly url: string,
    private after: number,
    private readonly hears: Hears,
    private readonly stillKnown: () => Promise<boolean>,
  ) {
    setInterval(() => this.#isOpen() && this.#send({ type: "ping" }), PING_MS);
    addEventListener("online", () => this.retry());
    this.#open();
  }

  /** Try at once, when there is no connection. */
  retry(): void {
    if (!this.#isOpen()) this.#open();
  }

  ask(question: Question): Promise<Reply> {
    if (!this.#isOpen()) return Promise.resolve(OFFLINE);
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#send({ ...question, id } as Sent);
    });
  }

  /** Have `watcher` told what its run prints, until the run has ended or what is answered here is called. */
  watch(watcher: Watcher): () => void {
    this.#watchers.set(watcher.run, watcher);
    if (this.#isOpen()) this.#ask(watcher);
    return () => {
      if (this.#watchers.get(watcher.run) !== watcher) return;
      this.#watchers.delete(watcher.run);
      if (this.#isOpen()) this.#send({ type: "unwatch", run: watcher.run });
    };
  }

  #ask({ run, offset }: Watcher): void {
    this.#send({ type: "watch", id: run, run, offset });
  }

  #printed(output: Output): void {
    const watcher = this.#watchers.get(output.run);
    // What was on its way for an earlier wish begins elsewhere; it comes again.
    if (watcher === undefined || output.offset - output.skipped !== watcher.offset) return;
    watcher.take(output);
    if (output.ended) this.#watchers.delete(output.run);
  }

  #open(): void {
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.hears.link({ kind: "connecting" });
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#wait = FIRST_WAIT_MS;
      this.#send({ type: "subscribe", after: this.after, events: [], cards: "open" });
      for (const watcher of this.#watchers.values()) this.#ask(watcher);
      this.hears.link({ kind: "live" });
    };
    socket.onmessage = (message: MessageEvent<string>) => this.#take(JSON.parse(message.data) as Received);
    socket.onclose = (closed) => {
      if (socket === this.#socket) void this.#broke(closed.code);
    };
  }

  #take(frame: Received): void {
    switch (frame.type) {
      case "reply":
        this.#answer(frame.id, frame);
        break;
      case "event":
        this.after = frame.seq;
        this.hears.event(frame);
        break;
      case "card":
        this.hears.card(frame.card, frame.approval);
        break;
      case "output":
        this.#printed(frame);
        break;
      case "notice":
        this.hears.notice(frame.text);
        break;
      case "error":
        if (!this.#refused(frame.id, frame.code, frame.text)) this.hears.notice(frame.text);
        break;
      case "pong":
        break;
    }
  }

  #refused(id: number | string | null, code: string, text: string): boolean {
    const watcher = typeof id === "string" ? this.#watchers.get(id) : undefined;
    if (watcher === undefined) return this.#answer(id, { ok: false, code, text });
    this.#watchers.delete(watcher.run);
    watcher.refused(text);
    return true;
  }

  #answer(id: number | string | null, reply: Reply): boolean {
    const asked = typeof id === "number" ? this.#waiting.get(id) : undefined;
    if (asked === undefined) return false;
    this.#waiting.delete(id as number);
    asked(reply);
    return true;
  }

  async #broke(code: number): Promise<void> {
    for (const answer of this.#waiting.values()) answer(BROKEN);
    this.#waiting.clear();
    this.hears.link({ kind: "offline", againAt: Date.now() + this.#wait });
    if (code === 1008 || !(await this.stillKnown())) {
      this.hears.signedOut();
      return;
    }
    const wait = this.#wait * (0.5 + Math.random() / 2);
    this.hears.link({ kind: "offline", againAt: Date.now() + wait });
    this.#timer = setTimeout(() => this.#open(), wait);
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
  }

  #isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #send(frame: Sent): void {
    this.#socket?.send(JSON.stringify(frame));
  }
}
