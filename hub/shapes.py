"""The JSON that programs read, as types: OpenAPI, the page's TypeScript and its tests are made from these.

They describe what `core.approvals.view` and `commands.leasing` write; tests hold real answers against them.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict


class Principal(TypedDict):
    """Somebody, by id and name."""

    id: str
    kind: Literal["person", "agent", "service", "operator", "unknown"]
    name: str


class Requirement(TypedDict):
    """Seats to fill, and who fills them so far; exactly one of `group` and `person`."""

    group: NotRequired[str]
    person: NotRequired[str]
    count: int
    have: int
    by: list[str]


class Rejections(TypedDict):
    """How many rejections there are, and how many end it."""

    have: int
    count: int


class Decision(TypedDict):
    """What one person said."""

    by: Principal
    verdict: Literal["approve", "reject", "request-changes"]
    at: str
    channel: str
    assurance: str
    comment: str | None
    digest: str
    on_behalf_of: Principal | None
    delegation: str | None


class Delegate(TypedDict):
    """Who could speak for whom."""

    id: str
    by: Principal
    on_behalf_of: Principal


class Holder(TypedDict):
    """Who stands in the way of a lease."""

    lock_id: str
    holder: str
    principal: str
    since: str
    purpose: str | None
    expires_at: str | None


class Wait(TypedDict):
    """A resource that an approved request waits for."""

    resource: str
    ticket: str
    position: int
    held_by: list[Holder]


class Run(TypedDict):
    """One execution."""

    id: str
    state: str
    exit: int | None
    why: str | None
    output_tail: str
    output_dropped: int
    token: int | None
    started_at: str
    ended_at: str | None


class Freeze(TypedDict):
    """What stops it for now."""

    id: str
    resources: list[str]
    reason: str
    until: str
    by: str


class Override(TypedDict):
    """Who let it go on although it is frozen."""

    by: Principal
    at: str
    reason: str | None


class Approval(TypedDict):
    """One request to run an action, as `core.approvals.view` writes it. It grows by members."""

    id: str
    version: int
    action: str
    title: str
    params: dict[str, Any]
    reason: str | None
    state: str
    why: str | None
    revision: int
    digest: str | None
    requester: Principal
    owners: list[str]
    channel: str | None
    policy: str
    allow: bool
    min_assurance: str | None
    confirm: Literal["press", "typed"]
    commands: dict[str, Any]
    requirements: list[Requirement]
    rejections: Rejections
    veto: list[str]
    could: list[Principal]
    delegations: list[Delegate]
    decisions: list[Decision]
    resources: list[str]
    validation: list[dict[str, Any]]
    preview: dict[str, Any] | None
    waiting_for: list[Wait]
    run: Run | None
    escalated: list[str]
    frozen: list[Freeze]
    override: Override | None
    rollback: dict[str, Any] | None
    rollback_run: Run | None
    start: str
    attempt: int
    retry_of: str | None
    created_at: str
    review_expires_at: str | None
    apply_asked_at: str | None
    apply_expires_at: str | None
    hold_until: str | None
    closed_at: str | None


class Lease(TypedDict):
    """The right to resources for a while."""

    lock_id: str
    resources: list[str]
    mode: Literal["exclusive", "shared"]
    holder: str
    principal: str
    token: int
    ttl_seconds: float
    state: str
    acquired_at: str
    heartbeat_at: str
    expires_at: str | None
    purpose: str | None


class Ticket(TypedDict):
    """A place in the queue; 1 is next."""

    ticket: str
    state: str
    position: int
    resources: list[str]
    lease: Lease | None
    cycle: list[str]


class Event(TypedDict):
    """One entry of the log, as its reader may see it."""

    seq: int
    ts: str
    event: str
    actor: str | None
    subject: str | None
    channel: str | None
    details: dict[str, Any]


class Proof(TypedDict):
    """That an entry stands in the log of a signed checkpoint; hashes in hex."""

    seq: int
    leaf_hash: str
    tree_size: int
    hashes: list[str]
    checkpoint: str


class Verb(TypedDict):
    """Something that may be typed."""

    name: str
    usage: str
    summary: str
    clauses: list[str]
    because: bool


class Param(TypedDict):
    """A parameter of an action."""

    name: str
    type: Literal["string", "integer", "number", "boolean"]
    description: str
    required: bool
    secret: bool
    multiline: bool
    enum: list[str] | None
    default: str | None
    pattern: str | None


class Action(TypedDict):
    """A kind of operation that may be asked for."""

    name: str
    title: str
    description: str
    usage: str
    params: list[Param]
    resources: list[str]


class HeldLease(TypedDict):
    """A lease in force, or closed by an unknown outcome."""

    lock_id: str
    state: str
    resources: list[str]
    mode: Literal["exclusive", "shared"]
    holder: str
    principal: str
    purpose: str | None
    kind: Literal["lease", "lock", "run"]
    approval: str | None
    ttl_seconds: float
    acquired_at: str
    heartbeat_at: str
    silent: bool
    expires_at: str | None


class WaitingLease(TypedDict):
    """Who waits for resources: behind which leases and tickets, and for about how long."""

    ticket: str
    resources: list[str]
    mode: Literal["exclusive", "shared"]
    holder: str
    principal: str
    purpose: str | None
    kind: Literal["lease", "lock", "run"]
    approval: str | None
    position: int
    behind: list[str]
    queued_at: str
    estimate_seconds: float | None


class LeasePicture(TypedDict):
    """Everything that is leased at one moment."""

    held: list[HeldLease]
    waiting: list[WaitingLease]


class LastFiring(TypedDict):
    """What became of the last time that a schedule gave its command."""

    at: str
    code: str | None
    approval: str | None
    state: str | None


class Schedule(TypedDict):
    """A command that is given at its times."""

    id: str
    owner: str
    state: str
    title: str
    cron: str | None
    timezone: str
    next_at: str | None
    next_said: str | None
    upcoming: list[str]
    last: LastFiring | None
    missed_times: int
    paused_by: str | None


class Firing(TypedDict):
    """One time that a trigger acted; `code` is `ok`, or that of a refusal."""

    occasion: str
    at: str
    code: str
    approval: str | None
    state: str | None
    depth: int


class HeldBack(TypedDict):
    """One time that the log says a trigger was held back, with how often since the time before."""

    seq: int
    at: str
    why: str
    occasion: str
    count: int
    message: str | None


class RateLimit(TypedDict):
    """How often a trigger may act within so many seconds, and how often it just did."""

    count: int
    seconds: int
    acted: int


_ActsAs = TypedDict("_ActsAs", {"as": str})


class Trigger(_ActsAs):
    """What an event or a message to a hook makes an agent or a service ask for."""

    name: str
    on: list[str]
    when: str | None
    action: str
    params: dict[str, str]
    reason: str | None
    enabled: bool
    disabled_by: str | None
    limit: RateLimit
    most_depth: int
    seq: int | None
    suppressed: int
    last: list[Firing]
    held: list[HeldBack]


class Wanted(TypedDict):
    """A request that a trigger would make."""

    action: str
    params: dict[str, Any]
    reason: str | None


class Refused(TypedDict):
    """Why something is refused."""

    code: str
    message: str


class Rehearsal(_ActsAs):
    """What a trigger would do; nothing was done."""

    trigger: str
    seq: int | None
    event: str
    looks: bool
    matches: bool
    error: str | None
    held_back: str | None
    depth: int
    request: Wanted | None
    title: str | None
    policy: str | None
    allowed: bool | None
    refused: Refused | None
