// The WebSocket to the hub: answers by id, entries and cards as they come, and coming back after a break.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const PING_MS = 25_000;

export class Wire {
  constructor({ after, onCard, onEvent, onNotice, onState }) {
    this.after = after;
    this.on = { card: onCard, event: onEvent, notice: onNotice, state: onState };
    this.waiting = new Map();
    this.next = 1;
    this.wait = FIRST_WAIT_MS;
    this.open();
    setInterval(() => this.isOpen() && this.socket.send('{"type":"ping"}'), PING_MS);
    addEventListener("online", () => this.isOpen() || this.open());
  }

  open() {
    clearTimeout(this.timer);
    this.socket?.close();
    this.on.state("connecting");
    const url = new URL("/v1/ws", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.socket = new WebSocket(url));
    socket.onopen = () => {
      this.wait = FIRST_WAIT_MS;
      this.on.state("live");
      this.send({ type: "subscribe", after: this.after, cards: "open" });
    };
    socket.onmessage = (message) => this.take(JSON.parse(message.data));
    socket.onclose = (closed) => socket === this.socket && this.broken(closed);
  }

  take(frame) {
    if (frame.type === "reply" || (frame.type === "error" && this.waiting.has(frame.id))) {
      this.waiting.get(frame.id)?.(frame);
      this.waiting.delete(frame.id);
    } else if (frame.type === "event") {
      this.after = frame.seq;
      this.on.event(frame);
    } else if (frame.type === "card") {
      this.on.card(frame.card, frame.approval);
    } else if (frame.type === "notice" || frame.type === "error") {
      this.on.notice(frame.text);
    }
  }

  async broken(closed) {
    for (const answer of this.waiting.values()) {
      answer({ ok: false, text: "The connection broke before the answer came; look whether it was done." });
    }
    this.waiting.clear();
    if (closed.code === 1008 || (await this.signedOut())) {
      location.reload();
      return;
    }
    this.on.state("offline", this.wait);
    this.timer = setTimeout(() => this.open(), this.wait * (0.5 + Math.random() / 2));
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
  }

  // The hub answers, and does not know us any more: the page that it shows then says what to do.
  async signedOut() {
    try {
      const page = await fetch("/", { cache: "no-store" });
      return page.ok && !(await page.text()).includes('id="app"');
    } catch {
      return false;
    }
  }

  isOpen() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  ask(frame) {
    if (!this.isOpen()) return Promise.resolve({ ok: false, text: "There is no connection to the hub just now." });
    const id = this.next++;
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.send({ ...frame, id });
    });
  }

  command(text) {
    return this.ask({ type: "command", text });
  }

  press(token, comment) {
    return this.ask({ type: "press", token, ...(comment ? { comment } : {}) });
  }
}
