// Made by .ci/frames.py from the hub's models. Do not edit; run it instead.

/** A press of one choice. `token` is opaque and is None on a card without live buttons. */
export interface Button {
  label: string;
  choice: string;
  token: string | null;
  style: "primary" | "danger" | "plain";
  confirm: string | null;
}

/** One labelled line of a card. `code` is shown in a fixed-width font, exactly and escaped. */
export interface Field {
  label: string;
  value: string;
  code: boolean;
}

/** A channel-neutral picture of one approval: adapters render it, nobody decides by it. */
export interface Card {
  approval: string;
  version: number;
  digest: string | null;
  state: string;
  title: string;
  summary: string;
  fields: Field[];
  claim: string | null;
  preview: string | null;
  footer: string;
  url: string | null;
  expires_at: string | null;
  buttons: Button[];
  final: boolean;
  requester: string;
  risk: "low" | "medium" | "high";
}

/** Somebody, by id and name. */
export interface Principal {
  id: string;
  kind: "person" | "agent" | "service" | "operator" | "unknown";
  name: string;
}

/** Seats to fill, and who fills them so far; exactly one of `group` and `person`. */
export interface Requirement {
  group?: string;
  person?: string;
  count: number;
  have: number;
  by: string[];
}

/** How many rejections there are, and how many end it. */
export interface Rejections {
  have: number;
  count: number;
}

/** What one person said. */
export interface Decision {
  by: Principal;
  verdict: "approve" | "reject" | "request-changes";
  at: string;
  channel: string;
  assurance: string;
  comment: string | null;
  digest: string;
  on_behalf_of: Principal | null;
  delegation: string | null;
}

/** Who could speak for whom. */
export interface Delegate {
  id: string;
  by: Principal;
  on_behalf_of: Principal;
}

/** Who stands in the way of a lease. */
export interface Holder {
  lock_id: string;
  holder: string;
  principal: string;
  since: string;
  purpose: string | null;
  expires_at: string | null;
}

/** A resource that an approved request waits for. */
export interface Wait {
  resource: string;
  ticket: string;
  position: number;
  held_by: Holder[];
}

/** One execution. */
export interface Run {
  id: string;
  state: string;
  exit: number | null;
  why: string | null;
  output_tail: string;
  output_dropped: number;
  token: number | null;
  started_at: string;
  ended_at: string | null;
}

/** What stops it for now. */
export interface Freeze {
  id: string;
  resources: string[];
  reason: string;
  until: string;
  by: string;
}

/** Who let it go on although it is frozen. */
export interface Override {
  by: Principal;
  at: string;
  reason: string | null;
}

/** One request to run an action, as `core.approvals.view` writes it. It grows by members. */
export interface Approval {
  id: string;
  version: number;
  action: string;
  title: string;
  params: Record<string, unknown>;
  reason: string | null;
  state: string;
  why: string | null;
  revision: number;
  digest: string | null;
  requester: Principal;
  owners: string[];
  channel: string | null;
  policy: string;
  allow: boolean;
  min_assurance: string | null;
  confirm: "press" | "typed";
  commands: Record<string, unknown>;
  requirements: Requirement[];
  rejections: Rejections;
  veto: string[];
  could: Principal[];
  delegations: Delegate[];
  decisions: Decision[];
  resources: string[];
  validation: Record<string, unknown>[];
  preview: Record<string, unknown> | null;
  waiting_for: Wait[];
  run: Run | null;
  escalated: string[];
  frozen: Freeze[];
  override: Override | null;
  rollback: Record<string, unknown> | null;
  rollback_run: Run | null;
  start: string;
  attempt: number;
  retry_of: string | null;
  created_at: string;
  review_expires_at: string | null;
  apply_asked_at: string | null;
  apply_expires_at: string | null;
  hold_until: string | null;
  closed_at: string | null;
}

/** The right to resources for a while. */
export interface Lease {
  lock_id: string;
  resources: string[];
  mode: "exclusive" | "shared";
  holder: string;
  principal: string;
  token: number;
  ttl_seconds: number;
  state: string;
  acquired_at: string;
  heartbeat_at: string;
  expires_at: string | null;
  purpose: string | null;
}

/** A place in the queue; 1 is next. */
export interface Ticket {
  ticket: string;
  state: string;
  position: number;
  resources: string[];
  lease: Lease | null;
  cycle: string[];
}

/** A lease in force, or closed by an unknown outcome. */
export interface HeldLease {
  lock_id: string;
  state: string;
  resources: string[];
  mode: "exclusive" | "shared";
  holder: string;
  principal: string;
  purpose: string | null;
  kind: "lease" | "lock" | "run";
  approval: string | null;
  ttl_seconds: number;
  acquired_at: string;
  heartbeat_at: string;
  silent: boolean;
  expires_at: string | null;
}

/** Who waits for resources: behind which leases and tickets, and for about how long. */
export interface WaitingLease {
  ticket: string;
  resources: string[];
  mode: "exclusive" | "shared";
  holder: string;
  principal: string;
  purpose: string | null;
  kind: "lease" | "lock" | "run";
  approval: string | null;
  position: number;
  behind: string[];
  queued_at: string;
  estimate_seconds: number | null;
}

/** Everything that is leased at one moment. */
export interface LeasePicture {
  held: HeldLease[];
  waiting: WaitingLease[];
}

/** One entry of the log, as its reader may see it. */
export interface Event {
  seq: number;
  ts: string;
  event: string;
  actor: string | null;
  subject: string | null;
  channel: string | null;
  details: Record<string, unknown>;
}

/** That an entry stands in the log of a signed checkpoint; hashes in hex. */
export interface Proof {
  seq: number;
  leaf_hash: string;
  tree_size: number;
  hashes: string[];
  checkpoint: string;
}

/** What became of the last time that a schedule gave its command. */
export interface LastFiring {
  at: string;
  code: string | null;
  approval: string | null;
  state: string | null;
}

/** A command that is given at its times. */
export interface Schedule {
  id: string;
  owner: string;
  state: string;
  title: string;
  cron: string | null;
  timezone: string;
  next_at: string | null;
  next_said: string | null;
  upcoming: string[];
  last: LastFiring | null;
  missed_times: number;
  paused_by: string | null;
}

/** One time that a trigger acted; `code` is `ok`, or that of a refusal. */
export interface Firing {
  occasion: string;
  at: string;
  code: string;
  approval: string | null;
  state: string | null;
  depth: number;
}

/** One time that the log says a trigger was held back, with how often since the time before. */
export interface HeldBack {
  seq: number;
  at: string;
  why: string;
  occasion: string;
  count: number;
  message: string | null;
}

/** How often a trigger may act within so many seconds, and how often it just did. */
export interface RateLimit {
  count: number;
  seconds: number;
  acted: number;
}

/** What an event or a message to a hook makes an agent or a service ask for. */
export interface Trigger {
  as: string;
  name: string;
  on: string[];
  when: string | null;
  action: string;
  params: Record<string, unknown>;
  reason: string | null;
  enabled: boolean;
  disabled_by: string | null;
  limit: RateLimit;
  most_depth: number;
  seq: number | null;
  suppressed: number;
  last: Firing[];
  held: HeldBack[];
}

/** A request that a trigger would make. */
export interface Wanted {
  action: string;
  params: Record<string, unknown>;
  reason: string | null;
}

/** Why something is refused. */
export interface Refused {
  code: string;
  message: string;
}

/** What a trigger would do; nothing was done. */
export interface Rehearsal {
  as: string;
  trigger: string;
  seq: number | null;
  event: string;
  looks: boolean;
  matches: boolean;
  error: string | null;
  held_back: string | null;
  depth: number;
  request: Wanted | null;
  title: string | null;
  policy: string | null;
  allowed: boolean | null;
  refused: Refused | null;
}

/** Something that may be typed. */
export interface Verb {
  name: string;
  usage: string;
  summary: string;
  clauses: string[];
  because: boolean;
}

/** A parameter of an action. */
export interface Param {
  name: string;
  type: "string" | "integer" | "number" | "boolean";
  description: string;
  required: boolean;
  secret: boolean;
  multiline: boolean;
  enum: string[] | null;
  default: string | null;
  pattern: string | null;
}

/** A kind of operation that may be asked for. */
export interface Action {
  name: string;
  title: string;
  description: string;
  usage: string;
  params: Param[];
  resources: string[];
}

/** A stretch of what a run printed, secrets replaced. Offsets count bytes of the whole text in UTF-8. */
export interface Output {
  run: string;
  offset: number;
  text: string;
  next: number;
  skipped: number;
  ended: boolean;
}

/** The one answer to an Inbound. `approval` is the Approval as CONTRACT gives it. */
export interface Reply {
  ok: boolean;
  text: string;
  code?: string | null;
  card?: Card | null;
  approval?: Approval | null;
  data?: Record<string, unknown>;
  repeated?: boolean;
}

/** A typed command. `key` makes it act once, also when it is sent again over another connection. */
export interface CommandFrame {
  type: "command";
  id?: string | number | null;
  text: string;
  key?: string | null;
}

/** A press of a button. */
export interface PressFrame {
  type: "press";
  id?: string | number | null;
  token: string;
  comment?: string | null;
  confirm?: string | null;
}

/** A wish to see one approval as it is now. */
export interface ShowFrame {
  type: "show";
  id?: string | number | null;
  approval: string;
}

/** A wish to follow: entries after a seq (None: from now on), and cards. */
export interface SubscribeFrame {
  type: "subscribe";
  after?: number | null;
  events: string[];
  cards: "none" | "live" | "open";
}

/** A wish to see what a run prints, from an offset on, in place of any such wish for that run. */
export interface WatchFrame {
  type: "watch";
  id?: string | number | null;
  run: string;
  offset: number;
}

/** No more of what that run prints. */
export interface UnwatchFrame {
  type: "unwatch";
  run: string;
}

/** A sign of life. */
export interface PingFrame {
  type: "ping";
}

/** What the page sends. */
export type Sent = CommandFrame | PressFrame | ShowFrame | SubscribeFrame | WatchFrame | UnwatchFrame | PingFrame;

/** What the hub sends. */
export type Received =
  | ({ type: "reply"; id: number | string | null } & Reply)
  | ({ type: "event" } & Event)
  | { type: "card"; card: Card; approval: Approval }
  | ({ type: "output" } & Output)
  | { type: "notice"; text: string }
  | { type: "error"; id: number | string | null; code: string; text: string }
  | { type: "pong" };
