"""Verbs that programs send about leases: acquire, heartbeat, release, convert, transfer, break, poll, cancel."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from commands.lease_breaking import break_lease
from commands.verb import Args, Call, Outcome, Permission, Verb
from core.clock import rfc3339
from core.errors import Forbidden, NotFound
from core.leases.acquiring import acquire
from core.leases.ending import release
from core.leases.lease import Lease, Ticket, in_words
from core.leases.renewing import heartbeat, heartbeat_session
from core.leases.replacing import convert, transfer
from core.leases.request import Acquire
from core.leases.terms import LEASE_LOCKS, MAX_BATCH, MAX_HOLD_SECONDS, class_of
from core.leases.waiting import cancel, poll
from core.store.tx import Tx


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
    lock_delay_seconds: float = 0.0
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


class ConvertArgs(TokenArgs):
    """Which lease, its token, the mode that it shall have, and how long to wait for that."""

    mode: Literal["exclusive", "shared"]
    wait_seconds: float = 0.0
    key: str | None = None


class TransferArgs(TokenArgs):
    """Which lease, its token, and who shall have it: a principal, and the name that its new holder goes by."""

    to: str = Field(max_length=64)
    holder: str | None = None


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
        "expected_seconds": ticket.expected_seconds,
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
                lock_delay_seconds=args.lock_delay_seconds,
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


def _convert(tx: Tx, call: Call, args: ConvertArgs, prepared: None) -> Outcome:
    return _said(
        convert(
            tx,
            call.principal.id,
            args.lock_id,
            args.token,
            args.mode,
            wait_seconds=args.wait_seconds,
            request_key=args.key,
        )
    )


def _transfer(tx: Tx, call: Call, args: TransferArgs, prepared: None) -> Outcome:
    to = call.world.people.find(args.to)
    if to is None:
        raise NotFound("unknown_principal", f"nobody in hub.yaml is called {args.to!r}")
    lease = transfer(
        tx, call.principal.id, args.lock_id, to.id, token=args.token, holder=args.holder, channel=call.channel
    )
    return Outcome(text=f"{lease.lock_id}: {to.id} has it now", data={"lease": lease_json(lease)}, record=False)


def _break(tx: Tx, call: Call, args: BreakArgs, prepared: None) -> Outcome:
    lease = break_lease(tx, call, args.lock_id, args.reason)
    return Outcome(text=f"{lease.lock_id}: broken", data={"lease": lease_json(lease)}, record=False)


def _poll(tx: Tx, call: Call, args: TicketArgs, prepared: None) -> Outcome:
    ticket = poll(tx, call.principal.id, args.ticket)
    return Outcome(text=f"{ticket.id}: {ticket.state}", data={"ticket": ticket_json(ticket)}, record=False)


def cancel_place(tx: Tx, call: Call, args: TicketArgs, prepared: None = None) -> Outcome:
    """The place is given up."""
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
    _structured("lease-acquire", AcquireArgs, _acquire, "Acquire a lease, or a place in the queue."),
    _structured("lease-heartbeat", TokenArgs, _heartbeat, "Renew a lease.", urgent=True),
    _structured(
        "lease-heartbeats", SessionArgs, _heartbeat_session, "Renew several leases of one session.", urgent=True
    ),
    _structured("lease-release", TokenArgs, _release, "Give a lease back.", urgent=True),
    _structured("lease-convert", ConvertArgs, _convert, "Hold in another mode: shared, or alone."),
    _structured("lease-transfer", TransferArgs, _transfer, "Give a lease to another principal or holder."),
    _structured("lease-break", BreakArgs, _break, "End another's lease."),
    _structured("lease-poll", TicketArgs, _poll, "Look at a place in the queue, which keeps it.", urgent=True),
    _structured("lease-cancel", TicketArgs, cancel_place, "Give up a place in the queue.", urgent=True),
)
