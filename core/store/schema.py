"""Every table. Times are microseconds since 1970 by the store's clock; JSON is text that we wrote ourselves."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

_Rowid = BigInteger().with_variant(Integer, "sqlite")
"""The rowid itself on SQLite, where BIGINT would cost a second index."""


def _us(name: str, *, nullable: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


log = Table(
    "log",
    metadata,
    Column("seq", _Rowid, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    _us("ts", nullable=False),
    Column("event", Text, nullable=False),
    Column("actor", Text),
    Column("subject", Text),
    Column("channel", Text),
    Index("log_subject", "subject", "seq"),
)

log_value = Table(
    "log_value",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("field", Text, primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
)

log_head = Table(
    "log_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("origin", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    _us("ts", nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    # The last checkpoint's size, so that news can be told from none.
    Column("signed_size", BigInteger, nullable=False, server_default=text("0")),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    _us("at", nullable=False),
)

batch = Table("batch", metadata, Column("id", Text, primary_key=True), _us("at", nullable=False))

counter = Table(
    "counter", metadata, Column("kind", Text, primary_key=True), Column("value", BigInteger, nullable=False)
)

once = Table(
    "once",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("sender", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body_hash", LargeBinary, nullable=False),
    Column("answer", Text, nullable=False),
    _us("at", nullable=False),
    Index("once_at", "at"),
)

config = Table(
    "config",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    _us("at", nullable=False),
)

flag = Table(
    "flag",
    metadata,
    # `halted`: stop all is in force. `epoch`: the lease epoch. Small facts that guards read in a transaction.
    # `freeze:NAME`: that freeze of hub.yaml was said to be in force. `redrawn`: the last entry whose copies were.
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    _us("at", nullable=False),
)

api_key = Table(
    "api_key",
    metadata,
    Column("prefix", Text, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    Column("principal", Text, nullable=False),
    Column("decide", Integer, nullable=False),
    _us("created_at", nullable=False),
    Column("created_by", Text, nullable=False),
    _us("revoked_at"),
    _us("used_at"),
    Index("api_key_principal", "principal"),
)

login_link = Table(
    "login_link",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("principal", Text, nullable=False),
    Column("assurance", Integer, nullable=False),
    Column("began", Text, nullable=False),
    _us("created_at", nullable=False),
    _us("expires_at", nullable=False),
    _us("used_at"),
)

link_code = Table(
    "link_code",
    metadata,
    # One-time codes by which somebody binds an account on a channel to themselves.
    Column("hash", LargeBinary, primary_key=True),
    Column("principal", Text, nullable=False),
    _us("created_at", nullable=False),
    _us("expires_at", nullable=False),
    _us("used_at"),
)

linked = Table(
    "linked",
    metadata,
    # Accounts on channels that people bound to themselves.
    Column("channel", Text, primary_key=True),
    Column("identity", Text, primary_key=True),
    Column("principal", Text, nullable=False),
    _us("at", nullable=False),
)

realm = Table(
    "realm",
    metadata,
    # Where a channel's bare identities belong: the workspace that its token was first seen in.
    Column("channel", Text, primary_key=True),
    Column("realm", Text, nullable=False),
    _us("at", nullable=False),
)

told_group = Table(
    "told_group",
    metadata,
    # Who a channel says is in a group of its own: identities as a JSON list, and when it said so last.
    Column("source", Text, primary_key=True),
    Column("members", Text, nullable=False),
    _us("at", nullable=False),
    Column("problem", Text),
)

vault = Table(
    "vault",
    metadata,
    # What a channel keeps sealed (tokens of the workspaces that it is installed in), in versions.
    Column("channel", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("version", BigInteger, nullable=False),
    # Until when one node alone may change it.
    _us("busy_until"),
    _us("at", nullable=False),
)

session = Table(
    "session",
    metadata,
    Column("id", Text, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    Column("principal", Text, nullable=False),
    Column("assurance", Integer, nullable=False),
    Column("began", Text, nullable=False),
    # `browser` (cookie) or `token` (JWT access with rotating refresh).
    Column("kind", Text, nullable=False),
    _us("created_at", nullable=False),
    _us("expires_at", nullable=False),
    _us("seen_at", nullable=False),
    _us("ended_at"),
    # How often the refresh token has rotated: an older one presented again ends the family.
    Column("generation", Integer, nullable=False, server_default=text("0")),
    Index("session_hash", "hash", unique=True),
    Index("session_principal", "principal"),
)

approval = Table(
    "approval",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("action", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("params", Text, nullable=False),
    Column("reason", Text),
    Column("requester", Text, nullable=False),
    Column("owners", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("address", Text),
    Column("assurance", Integer, nullable=False),
    # The bound value, whose canonical bytes the digest covers: definition, argv, files, preview, policy.
    Column("bound", Text),
    Column("digest", Text),
    Column("policy", Text, nullable=False),
    Column("policy_json", Text, nullable=False),
    Column("resources", Text, nullable=False),
    Column("validation", Text, nullable=False),
    Column("preview", Text),
    Column("config_version", BigInteger, nullable=False),
    Column("start", Text, nullable=False),
    Column("hold_us", BigInteger, nullable=False),
    Column("apply_us", BigInteger, nullable=False),
    _us("created_at", nullable=False),
    _us("submitted_at"),
    _us("review_expires_at"),
    _us("apply_expires_at"),
    _us("hold_until"),
    _us("apply_asked_at"),
    _us("closed_at"),
    Column("closed_why", Text),
    Column("returns", Integer, nullable=False),
    Column("run", BigInteger),
    Column("rollback_run", BigInteger),
    Column("retry_of", BigInteger),
    Column("attempt", Integer, nullable=False),
    # What the rollback would do, as its preview said when the request was checked; JSON like `preview`.
    Column("rollback_preview", Text),
    # When its rollback was decided; the run that carries it out is `rollback_run`.
    _us("rollback_asked_at"),
    # What approved this revision without decisions of its own: a grant, or break-glass (1).
    Column("by_grant", BigInteger),
    Column("glass", Integer, nullable=False, server_default=text("0")),
    # Who overrode the freezes for this revision, and why.
    Column("override_by", Text),
    Column("override_why", Text),
    _us("override_at"),
    # The next reminder and escalation, and how many there were. None: none is due any more.
    _us("remind_at"),
    Column("reminders", Integer, nullable=False, server_default=text("0")),
    _us("escalate_at"),
    Column("escalations", Integer, nullable=False, server_default=text("0")),
    # When it came under review last: what escalation counts from.
    _us("reviewing_at"),
    # The one approval that asks for it again.
    Column("retried_as", BigInteger),
    # What made the hub ask for it (`S3`, `trigger:name`), and how many triggers led here, one after the other.
    Column("cause", Text),
    Column("depth", Integer, nullable=False, server_default=text("0")),
    Index("approval_state", "state", "id"),
    Index("approval_review_clock", "state", "review_expires_at"),
    Index("approval_apply_clock", "state", "apply_expires_at"),
    Index(
        "approval_remind",
        "remind_at",
        sqlite_where=text("remind_at IS NOT NULL"),
        postgresql_where=text("remind_at IS NOT NULL"),
    ),
    Index(
        "approval_rollback",
        "rollback_asked_at",
        sqlite_where=text("rollback_asked_at IS NOT NULL"),
        postgresql_where=text("rollback_asked_at IS NOT NULL"),
    ),
    Index(
        "approval_escalate",
        "escalate_at",
        sqlite_where=text("escalate_at IS NOT NULL"),
        postgresql_where=text("escalate_at IS NOT NULL"),
    ),
    Index("approval_requester", "requester", "id"),
    Index("approval_requested", "requester", "state", "id"),
    # What waits for somebody is found by the policies and actions that have a seat for them.
    Index("approval_policy", "state", "policy", "id"),
    Index("approval_action", "state", "action", "id"),
)

revision = Table(
    "revision",
    metadata,
    Column("approval", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("params", Text, nullable=False),
    Column("reason", Text),
    Column("bound", Text),
    Column("digest", Text),
    Column("why", Text),
    _us("at", nullable=False),
)

decision = Table(
    "decision",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("approval", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("on_behalf_of", Text),
    Column("verdict", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("assurance", Integer, nullable=False),
    Column("comment", Text),
    # What proved the person, as JSON: which key, session or signature. For the receipt.
    Column("evidence", Text),
    # The delegation by which `by` spoke for `on_behalf_of`.
    Column("delegation", BigInteger),
    # The grant that was chosen with it: for how long the same may run again, and how often.
    Column("grant_seconds", BigInteger),
    Column("grant_times", Integer),
    # Whose say it is: `on_behalf_of`, or `by`.
    Column("voice", Text, nullable=False, server_default=text("''")),
    _us("at", nullable=False),
    UniqueConstraint("approval", "revision", "by", "voice", name="decision_once"),
)

delegation = Table(
    "delegation",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("delegator", Text, nullable=False),
    Column("delegate", Text, nullable=False),
    # `delegate` (speaks for the delegator), `follow` (approves for them where `condition` has approved too),
    # `away` (the delegator is not asked; the delegate is themselves).
    Column("kind", Text, nullable=False),
    Column("condition", Text),
    # How strongly the delegator had proved themselves: a policy that needs more does not count it.
    Column("assurance", Integer, nullable=False),
    # Action names as JSON; None for all.
    Column("actions", Text),
    _us("until", nullable=False),
    _us("created_at", nullable=False),
    Column("channel", Text),
    _us("ended_at"),
    Column("ended", Text),
    Index("delegation_delegator", "delegator", "ended_at"),
    Index("delegation_open", "ended_at", "until"),
)

rollback_voice = Table(
    "rollback_voice",
    metadata,
    # Who wants the rollback of what ran: one voice a person, counted like approvals.
    Column("approval", BigInteger, primary_key=True, autoincrement=False),
    Column("person", Text, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("assurance", Integer, nullable=False),
    Column("comment", Text),
    _us("at", nullable=False),
)

grant = Table(
    "grant",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    # The approval with whose decisions it was chosen: those that say `seconds` and `times`.
    Column("approval", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    # Hex SHA-256 of what a request must bind to use it.
    Column("terms", Text, nullable=False),
    Column("seconds", BigInteger, nullable=False),
    Column("times", Integer, nullable=False),
    Column("used", Integer, nullable=False),
    _us("created_at", nullable=False),
    _us("until", nullable=False),
    _us("ended_at"),
    Column("ended", Text),
    Index("grant_terms", "terms", "ended_at"),
    Index("grant_approval", "approval"),
    Index("grant_open", "ended_at", "until"),
)

grant_use = Table(
    "grant_use",
    metadata,
    # One row a use, numbered from 1.
    Column("grant", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("approval", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    _us("at", nullable=False),
)

owed_review = Table(
    "owed_review",
    metadata,
    # What ran by break-glass is looked at afterwards, and nags until it was.
    Column("approval", BigInteger, primary_key=True, autoincrement=False),
    _us("due_at", nullable=False),
    _us("nag_at"),
    Column("nags", Integer, nullable=False),
    Column("verdict", Text),
    Column("reviewed_by", Text),
    Column("channel", Text),
    Column("assurance", Integer),
    Column("comment", Text),
    _us("reviewed_at"),
    _us("created_at", nullable=False),
    Index("owed_review_nag", "nag_at"),
)

freeze = Table(
    "freeze",
    metadata,
    # Freezes made by command; those of hub.yaml are computed from it.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("resources", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _us("starts_at", nullable=False),
    _us("ends_at", nullable=False),
    Column("created_by", Text, nullable=False),
    _us("created_at", nullable=False),
    _us("ended_at"),
    Column("ended_by", Text),
    Index("freeze_ends", "ended_at", "ends_at"),
)

agent = Table(
    "agent",
    metadata,
    # What is known of an agent beside hub.yaml. `claim` is JSON, and its own word.
    Column("id", Text, primary_key=True),
    _us("suspended_at"),
    Column("suspended_by", Text),
    Column("suspended_why", Text),
    _us("paused_at"),
    Column("paused_by", Text),
    Column("paused_why", Text),
    _us("seen_at"),
    # When the log was told last that it is alive; when its owner was told last that its budget is spent.
    _us("noted_at"),
    Column("health", Text),
    Column("claim", Text),
    _us("told_at"),
)

agent_message = Table(
    "agent_message",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("agent", Text, nullable=False),
    Column("sender", Text, nullable=False),
    # `message`, `pause`, `resume`.
    Column("purpose", Text, nullable=False),
    Column("text", Text, nullable=False),
    _us("created_at", nullable=False),
    # How often it was told; when it is told again, or given up. None: acknowledged, or given up.
    Column("tellings", Integer, nullable=False),
    _us("due_at"),
    _us("acknowledged_at"),
    Column("answer", Text),
    Index("agent_message_agent", "agent", "acknowledged_at", "id"),
    Index(
        "agent_message_due",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)

schedule = Table(
    "schedule",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("owner", Text, nullable=False),
    # Where it was asked for, and how strongly that was proved: its command is given from there, and no more strongly.
    Column("channel", Text, nullable=False),
    Column("address", Text),
    Column("assurance", Integer, nullable=False),
    # The command: a verb of the closed list and its checked arguments, as JSON.
    Column("verb", Text, nullable=False),
    Column("args", Text, nullable=False),
    # A cron line read in `timezone`, or one time.
    Column("cron", Text),
    _us("once_at"),
    Column("timezone", Text, nullable=False),
    # What becomes of missed times: `skip` or `run-once`.
    Column("missed", Text, nullable=False),
    # `active`, `paused`, `ended`.
    Column("state", Text, nullable=False),
    # Its next time; None while it is not active. `due_at` is when the hub serves it: then, or at once when forced.
    _us("next_at"),
    _us("due_at"),
    Column("forced_by", Text),
    Column("paused_by", Text),
    _us("created_at", nullable=False),
    _us("ended_at"),
    Column("ended", Text),
    # What happened so far: how often it gave its command, how many times were missed, and what came of the last one.
    Column("fired", BigInteger, nullable=False),
    Column("missed_times", BigInteger, nullable=False),
    _us("last_at"),
    Column("last_code", Text),
    Column("last_approval", BigInteger),
    Index("schedule_owner", "owner", "state"),
    Index(
        "schedule_due",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)

trigger = Table(
    "trigger",
    metadata,
    # Where each trigger of hub.yaml stands in the log: every entry up to `seq` is behind it.
    Column("name", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    _us("disabled_at"),
    Column("disabled_by", Text),
    # How often it was held back since the log was told last, and when that was.
    Column("suppressed", BigInteger, nullable=False),
    _us("suppressed_at"),
)

trigger_firing = Table(
    "trigger_firing",
    metadata,
    # `occasion` is the entry's seq, or the message of a hook: a trigger acts on each once.
    Column("trigger", Text, primary_key=True),
    Column("occasion", Text, primary_key=True),
    Column("code", Text, nullable=False),
    Column("approval", BigInteger),
    Column("depth", Integer, nullable=False),
    _us("at", nullable=False),
    Index("trigger_firing_at", "trigger", "at"),
)

secret = Table(
    "secret",
    metadata,
    Column("approval", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

press = Table(
    "press",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("approval", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    Column("choice", Text, nullable=False),
    Column("delivery", BigInteger),
    _us("expires_at", nullable=False),
    Index("press_approval", "approval"),
)

run = Table(
    "run",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("approval", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("lock_id", BigInteger),
    Column("holder", Text, nullable=False),
    # The process group's identity for recovery, as JSON; None until it was spawned.
    Column("process", Text),
    Column("exit", Integer),
    Column("why", Text),
    Column("output", LargeBinary),
    Column("output_dropped", BigInteger, nullable=False),
    _us("started_at", nullable=False),
    _us("ended_at"),
    _us("stop_asked_at"),
    Column("stop_by", Text),
    # What the action's `stash` said before it ran; the rollback gets it.
    Column("stash", LargeBinary),
    # Why it runs a rollback, who asked for it and where.
    Column("asked_by", Text),
    UniqueConstraint("approval", "kind", name="run_once"),
    Index("run_state", "state"),
)

work = Table(
    "work",
    metadata,
    # A run that an agent carries out; JSON in params, labels and artifacts.
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("approval", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("params", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    # `queued`, `claimed`, `ended`.
    Column("state", Text, nullable=False),
    Column("most_tries", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    _us("offered_at", nullable=False),
    _us("due_at", nullable=False),
    _us("until", nullable=False),
    Column("ttl_us", BigInteger, nullable=False),
    Column("agent", Text),
    Column("claim", Text),
    _us("claimed_at"),
    _us("expires_at"),
    _us("reported_at"),
    # What its agent says of it.
    Column("progress", Text),
    Column("output", LargeBinary, nullable=False),
    Column("dropped", BigInteger, nullable=False),
    Column("artifacts", Text, nullable=False),
    Index("work_state", "state", "priority", "run"),
)

lease = Table(
    "lease",
    metadata,
    Column("id", _Rowid, primary_key=True, autoincrement=False),
    # `waiting`, `held`, `closed` (kept from everybody by an unknown outcome), then `ended`.
    Column("state", Text, nullable=False),
    # How it ended: `released`, `reclaimed`, `broken`, `converted`, `transferred`; of a waiter: `cancelled`, `expired`,
    # `refused`.
    Column("ended", Text),
    # The place in a queue that it had, or has: its own id, or another number where an older version gave it.
    Column("ticket", BigInteger),
    Column("holder", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("session", Text),
    Column("request_key", Text),
    Column("channel", Text),
    Column("resources", Text, nullable=False),
    Column("mode", Text, nullable=False),
    # The rank is (class, arrival); lower is better. `class` alone is a keyword in too many languages.
    Column("rank_class", Integer, nullable=False),
    Column("arrival", BigInteger, nullable=False),
    Column("purpose", Text),
    Column("ttl_us", BigInteger, nullable=False),
    Column("max_hold_us", BigInteger, nullable=False),
    Column("token", BigInteger),
    _us("queued_at"),
    _us("wait_until"),
    _us("acquired_at"),
    _us("heartbeat_at"),
    # When it lapses unless somebody speaks for it: a holder by heartbeat, a waiter by asking. None while closed.
    _us("expires_at"),
    # When its resources can be had by others once it lapsed: `expires_at`, later by `lock_delay_us` for a lease.
    _us("free_at"),
    Column("lock_delay_us", BigInteger, nullable=False, server_default=text("0")),
    # When a waiter's class becomes better by one; None once it is as good as waiting makes it.
    _us("ages_at"),
    # The lease in whose place this one was granted or waits to be, and the place that waits to replace this one.
    Column("replaces", BigInteger),
    Column("upgrade", BigInteger),
    # When its holder was reminded that a lock by command ends soon.
    _us("reminded_at"),
    _us("renewed_noted_at"),
    _us("ended_at"),
    # Why a waiter was refused, as JSON: the cycle that it would have closed.
    Column("cycle", Text),
    Column("approval", BigInteger),
    # `lease`, `lock` (by command, without heartbeats) or `run`.
    Column("kind", Text, nullable=False),
    Index("lease_expiry", "state", "free_at"),
    Index(
        "lease_holder",
        "principal",
        "holder",
        "state",
        "expires_at",
        sqlite_where=text("state <> 'ended'"),
        postgresql_where=text("state <> 'ended'"),
    ),
    Index(
        "lease_age",
        "ages_at",
        sqlite_where=text("ages_at IS NOT NULL"),
        postgresql_where=text("ages_at IS NOT NULL"),
    ),
    Index(
        "lease_request",
        "principal",
        "request_key",
        unique=True,
        sqlite_where=text("request_key IS NOT NULL"),
        postgresql_where=text("request_key IS NOT NULL"),
    ),
    Index(
        "lease_ticket",
        "ticket",
        unique=True,
        sqlite_where=text("ticket <> id"),
        postgresql_where=text("ticket <> id"),
    ),
    Index(
        "lease_approval",
        "approval",
        sqlite_where=text("approval IS NOT NULL"),
        postgresql_where=text("approval IS NOT NULL"),
    ),
)

lease_resource = Table(
    "lease_resource",
    metadata,
    # Rows of live leases and waiters only. A resource `repo:web/src` has a row for itself (leaf 1)
    # and one for each ancestor (leaf 0), so that conflicts are equality look-ups. Mode and rank are copies of the
    # lease's, in the order of its queue: the next in line is the first row of a range.
    Column("resource", Text, primary_key=True),
    Column("waiting", Integer, primary_key=True, autoincrement=False),
    Column("rank_class", Integer, primary_key=True, autoincrement=False),
    Column("arrival", BigInteger, primary_key=True, autoincrement=False),
    Column("lease", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf", Integer, nullable=False),
    Column("shared", Integer, nullable=False),
    Index("lease_resource_lease", "lease"),
    sqlite_with_rowid=False,
)

shard = Table(
    "shard",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("last_token", BigInteger, nullable=False),
    # The id of the newest lease or waiter.
    Column("last_number", BigInteger, nullable=False, server_default=text("0")),
)

fence = Table(
    "fence", metadata, Column("resource", Text, primary_key=True), Column("last_token", BigInteger, nullable=False)
)

lease_pace = Table(
    "lease_pace",
    metadata,
    # How long leases on a kind of resource were held lately while others waited, from which waits are estimated.
    Column("kind", Text, primary_key=True),
    Column("hold_us", BigInteger, nullable=False),
)

lease_watch = Table(
    "lease_watch",
    metadata,
    # Who wants to hear when a resource is free, without a place in its queue.
    Column("principal", Text, primary_key=True),
    Column("resource", Text, primary_key=True),
    Column("channel", Text),
    _us("at", nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("approval", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("recipient", Text),
    # `pending`, `sent`, `dead`, `done` (final state rendered).
    Column("state", Text, nullable=False),
    Column("desired", BigInteger, nullable=False),
    Column("rendered", BigInteger, nullable=False),
    Column("reference", Text),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    _us("due_at", nullable=False),
    _us("created_at", nullable=False),
    _us("updated_at"),
    # Which reminder was carried to it last.
    Column("reminded", Text),
    UniqueConstraint("approval", "channel", "address", name="delivery_once"),
    Index("delivery_due", "state", "due_at"),
)

notice = Table(
    "notice",
    metadata,
    # What one person is to be told that is no card; gone once it arrived or was given up.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("principal", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    _us("due_at", nullable=False),
    _us("created_at", nullable=False),
    Index("notice_due", "due_at"),
)

shown = Table(
    "shown",
    metadata,
    # Which revision's card a channel acknowledged to a person, and since when.
    Column("approval", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("person", Text, primary_key=True),
    _us("at", nullable=False),
)

received = Table(
    "received",
    metadata,
    # Messages as a channel received them (mail), for evidence and for what nobody could read; forgotten as `keep` says.
    Column("channel", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("raw", LargeBinary),
    Column("tries", Integer, nullable=False),
    # What became of it, in a word; None while it is being handled.
    Column("outcome", Text),
    _us("at", nullable=False),
    Index("received_at", "at"),
)

suppressed = Table(
    "suppressed",
    metadata,
    # Addresses that take no message: nobody is asked there until an administrator or a message from there clears it.
    Column("channel", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("why", Text, nullable=False),
    _us("at", nullable=False),
)
