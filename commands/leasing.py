"""Verbs of leases: lock, unlock and locks for people; acquire, heartbeat, release, break, poll, cancel for programs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from commands.requesting import checked_reason
from commands.stopping import NoArgs
from commands.verb import Args, Call, Outcome, Permission, Verb
from core.clock import parse_duration, rfc3339, show_duration
from core.errors import Forbidden, Invalid, Refusal
from core.leases.acquiring import acquire
from core.leases.ending import break_, release
from core.leases.lease import Lease, Ticket, in_words
from core.leases.reading import live, queue
from core.leases.renewing import heartbeat, heartbeat_session
from core.leases.request import Acquire
from core.leases.terms import LEASE_LOCKS, MAX_BATCH, MAX_HOLD_SECONDS, class_of
from core.leases.waiting import cancel, poll
from core.store.tx import Tx

LOCK_SECONDS = 1800.0
"""How long a lock taken by command lives when nobody says `for`."""


class LockArgs(Args):
    """What to lock, for how long, and why."""

    resources: Annotated[list[str], Field(min_length=1, max_length=16)]
    ttl_seconds: float = LOCK_SECONDS
    reason: str | None = Field(default=None, max_length=500)

    @field_validator("ttl_seconds", mode="before")
    @classmethod
    def _duration(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return parse_duration(value)
        except Refusal as refusal:
            raise ValueError(refusal.message) from None


class LeaseArgs(Args):
    """Which lease."""

    lock_id: str


class AcquireArgs(Args):
    """What a program wants to hold."""

    resources: Annotated[list[str], Field(min_length=1, max_length=64)]
    mode: Literal["exclusive", "shared"] = "exclusive"
    ttl_seconds: float = 30.0
    wait_seconds: float = 0.0
    max_hold_seconds: float = MAX_HOLD_SECONDS
    priority: int = 0
    purpose: str | None = None
    holder: str | None = None
    session: str | None = None
    key: str | None = None


class TokenArgs(Args):
    """Which lease, and the token that proves it."""

    lock_id: str
    token: int


class SessionArgs(Args):
    """Which leases of one session, each with its token."""

    session: str = Field(min_length=1, max_length=128)
    leases: Annotated[list[TokenArgs], Field(min_length=1, max_length=MAX_BATCH)]


class BreakArgs(Args):
    """Which lease, and why."""

    lock_id: str
    reason: str = Field(min_length=1, max_length=500)


class TicketArgs(Args):
    """Which place in the queue."""

    ticket: str


def lease_json(lease: Lease) -> dict[str, Any]:
    """The Lease of CONTRACT."""
    return {
        **lease.fields,
        "principal": lease.principal,
        "state": lease.state,
        "acquired_at": rfc3339(lease.acquired_at),
        "heartbeat_at": rfc3339(lease.heartbeat_at),
        "expires_at": rfc3339(lease.expires_at) if lease.expires_at is not None else None,
    }


def ticket_json(ticket: Ticket) -> dict[str, Any]:
    """The ticket of CONTRACT."""
    return {
        "ticket": ticket.id,
        "state": ticket.state,
        "position": ticket.position,
        "resources": list(ticket.resources),
        "lease": lease_json(ticket.lease) if ticket.lease is not None else None,
        "cycle": list(ticket.cycle),
        "detail": in_words(ticket.cycle) if ticket.cycle else None,
    }


def _said(got: Lease | Ticket) -> Outcome:
    if isinstance(got, Lease):
        text = f"{got.lock_id}: you hold {', '.join(got.resources)}"
        return Outcome(text=text, data={"lease": lease_json(got)}, record=False)
    if got.state == "refused":
        refusal = got.refusal()
        return Outcome(ok=False, code=refusal.code, text=refusal.message, refusal=refusal)
    text = f"{got.id}: you wait for {', '.join(got.resources)}, position {got.position}"
    return Outcome(text=text, data={"ticket": ticket_json(got)}, record=False)


def _lock(tx: Tx, call: Call, args: LockArgs, prepared: None) -> Outcome:
    lease = acquire(
        tx,
        Acquire(
            principal=call.principal.id,
            resources=tuple(args.resources),
            ttl_seconds=args.ttl_seconds,
            max_hold_seconds=max(args.ttl_seconds, 3600.0),
            purpose=checked_reason(args.reason),
            channel=call.channel,
            kind="lock",
        ),
    )
    said = _said(lease)
    assert isinstance(lease, Lease)
    until = rfc3339(lease.expires_at or 0)[:16].replace("T", " ")
    text = f"{said.text} for {show_duration(args.ttl_seconds)}, until {until} UTC"
    return Outcome(text=text, data=said.data, record=False)


def _unlock(tx: Tx, call: Call, args: LeaseArgs, prepared: None) -> Outcome:
    lease = release(tx, call.principal.id, args.lock_id, None)
    return Outcome(text=f"{lease.lock_id}: given back", data={"lease": lease_json(lease)}, record=False)


def _locks(tx: Tx, call: Call, args: NoArgs, prepared: None) -> Outcome:
    held, waiting = live(tx), queue(tx)
    lines = [
        f"{each.lock_id}  {', '.join(each.resources)}  {each.principal}"
        + (f"  until {rfc3339(each.expires_at)[:16]}Z" if each.expires_at else "  closed: its run's end is unknown")
        + (f"  ({each.purpose})" if each.purpose else "")
        for each in held
    ]
    lines += [f"{each.id}  waits for {', '.join(each.resources)}, position {each.position}" for each in waiting]
    data = {"items": [lease_json(each) for each in held], "waiting": [ticket_json(each) for each in waiting]}
    return Outcome(text="\n".join(lines) or "Nothing is leased.", data=data)


def _acquire(tx: Tx, call: Call, args: AcquireArgs, prepared: None) -> Outcome:
    if args.priority > 0 and not call.world.rights.has(call.principal, "override"):
        raise Forbidden("not_allowed", "a priority above 0 needs the right override")
    return _said(
        acquire(
            tx,
            Acquire(
                principal=call.principal.id,
                resources=tuple(args.resources),
                mode=args.mode,
                ttl_seconds=args.ttl_seconds,
                wait_seconds=args.wait_seconds,
                max_hold_seconds=args.max_hold_seconds,
                rank_class=class_of(args.priority),
                purpose=args.purpose,
                holder=args.holder,
                session=args.session,
                request_key=args.key,
                channel=call.channel,
            ),
        )
    )


def _heartbeat(tx: Tx, call: Call, args: TokenArgs, prepared: None) -> Outcome:
    lease = heartbeat(tx, call.principal.id, args.lock_id, args.token)
    return Outcome(text=f"{lease.lock_id}: renewed", data={"lease": lease_json(lease)}, record=False)


def _heartbeat_session(tx: Tx, call: Call, args: SessionArgs, prepared: None) -> Outcome:
    held = [(each.lock_id, each.token) for each in args.leases]
    renewed = heartbeat_session(tx, call.principal.id, args.session, held)
    alive = {lease.lock_id for lease in renewed}
    lost = [lock_id for lock_id, _ in held if lock_id not in alive]
    data = {"items": [lease_json(lease) for lease in renewed], "lost": lost}
    return Outcome(text=f"{len(renewed)} renewed, {len(lost)} lost", data=data, record=False)


def _release(tx: Tx, call: Call, args: TokenArgs, prepared: None) -> Outcome:
    lease = release(tx, call.principal.id, args.lock_id, args.token)
    return Outcome(text=f"{lease.lock_id}: given back", data={"lease": lease_json(lease)}, record=False)


def _break(tx: Tx, call: Call, args: BreakArgs, prepared: None) -> Outcome:
    reason = checked_reason(args.reason)
    if reason is None:
        raise Invalid("reason_required", "say why")
    lease = break_(tx, call.principal.id, args.lock_id, reason, call.channel)
    return Outcome(text=f"{lease.lock_id}: broken", data={"lease": lease_json(lease)}, record=False)


def _poll(tx: Tx, call: Call, args: TicketArgs, prepared: None) -> Outcome:
    ticket = poll(tx, call.principal.id, args.ticket)
    return Outcome(text=f"{ticket.id}: {ticket.state}", data={"ticket": ticket_json(ticket)}, record=False)


def _cancel(tx: Tx, call: Call, args: TicketArgs, prepared: None) -> Outcome:
    ticket = cancel(tx, call.principal.id, args.ticket, call.channel)
    return Outcome(text=f"{ticket.id}: {ticket.state}", data={"ticket": ticket_json(ticket)}, record=False)


def _structured(name: str, args: type[Args], run: Any, summary: str, *, urgent: bool = False) -> Verb:
    right = Permission.BREAK if name == "lease-break" else Permission.LEASE
    return Verb(
        name=name,
        args=args,
        run=run,
        permission=right,
        usage=name,
        summary=summary,
        people_only=name == "lease-break",
        structured=True,
        urgent=urgent,
        locks=LEASE_LOCKS,
    )


VERBS = (
    Verb(
        name="lock",
        args=LockArgs,
        run=_lock,
        permission=Permission.LEASE,
        rest="resources",
        clauses={"for": "ttl_seconds"},
        because="reason",
        locks=LEASE_LOCKS,
        usage="lock <kind:name…> [for 30m] [because <reason>]",
        summary="Keep everybody off some resources for a while.",
    ),
    Verb(
        name="unlock",
        args=LeaseArgs,
        run=_unlock,
        permission=Permission.LEASE,
        positional=("lock_id",),
        locks=LEASE_LOCKS,
        urgent=True,
        usage="unlock <lease>",
        summary="Give a lock back.",
    ),
    Verb(
        name="locks",
        args=NoArgs,
        run=_locks,
        permission=Permission.READ,
        usage="locks",
        summary="What is leased, by whom, and who waits.",
    ),
    Verb(
        name="cancel",
        args=TicketArgs,
        run=_cancel,
        permission=Permission.LEASE,
        positional=("ticket",),
        locks=LEASE_LOCKS,
        urgent=True,
        usage="cancel <ticket>",
        summary="Give up a place in the queue.",
    ),
    _structured("lease-acquire", AcquireArgs, _acquire, "Acquire a lease, or a place in the queue."),
    _structured("lease-heartbeat", TokenArgs, _heartbeat, "Renew a lease.", urgent=True),
    _structured(
        "lease-heartbeats", SessionArgs, _heartbeat_session, "Renew several leases of one session.", urgent=True
    ),
    _structured("lease-release", TokenArgs, _release, "Give a lease back.", urgent=True),
    _structured("lease-break", BreakArgs, _break, "End another's lease."),
    _structured("lease-poll", TicketArgs, _poll, "Look at a place in the queue, which keeps it.", urgent=True),
    _structured("lease-cancel", TicketArgs, _cancel, "Give up a place in the queue.", urgent=True),
)
