"""Verbs of people who hold resources by hand: lock, extend, unlock, transfer, break, locks, cancel."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from commands.lease_breaking import break_lease, permitted
from commands.leasing import LeaseArgs, TicketArgs, cancel_place, lease_json, ticket_json
from commands.lock_wording import held_text, holder_text, name_of, place_text
from commands.requesting import checked_reason
from commands.stopping import NoArgs
from commands.verb import Args, Call, Outcome, Permission, Verb
from core.clock import parse_duration
from core.errors import NotFound, Refusal
from core.leases.acquiring import acquire
from core.leases.ending import release
from core.leases.extending import extend
from core.leases.lease import Lease
from core.leases.reading import in_the_way, live, principal_of, queue
from core.leases.replacing import transfer
from core.leases.request import Acquire, Mode
from core.leases.terms import LEASE_LOCKS
from core.leases.watching import unwatch, watch
from core.moments import show_moment, zone_of
from core.people.directory import Kind
from core.store.tx import Tx

LOCK_SECONDS = 1800.0
"""How long a lock lives when nobody says `for`."""
WAIT_SECONDS = 86_400.0
"""How long a person stands in the queue; the hub keeps the place meanwhile (hub/locks.py)."""
_SHARED = "shared"


def seconds_of(value: Any) -> Any:
    """The seconds of a duration as people type it; anything else as it is. Raises ValueError."""
    if not isinstance(value, str):
        return value
    try:
        return parse_duration(value)
    except Refusal as refusal:
        raise ValueError(refusal.message) from None


class LockArgs(Args):
    """What to lock, together with other readers or alone, for how long, and why."""

    resources: Annotated[list[str], Field(min_length=1, max_length=16)]
    mode: Mode = "exclusive"
    ttl_seconds: float = LOCK_SECONDS
    reason: str | None = Field(default=None, max_length=500)

    _duration = field_validator("ttl_seconds", mode="before")(seconds_of)

    @model_validator(mode="before")
    @classmethod
    def _told_apart(cls, given: Any) -> Any:
        """`shared` among the resources is a mode: no resource is called without a kind."""
        if not isinstance(given, dict) or not isinstance(given.get("resources"), list):
            return given
        named = [each for each in given["resources"] if each != _SHARED]
        return given if len(named) == len(given["resources"]) else {**given, "resources": named, "mode": _SHARED}


class ExtendArgs(Args):
    """Which lock, and by how much."""

    lock_id: str
    seconds: float

    _duration = field_validator("seconds", mode="before")(seconds_of)


class TransferArgs(Args):
    """Which lock, and to whom."""

    lock_id: str
    to: str = Field(max_length=64)


class BreakArgs(Args):
    """Which lease, and why."""

    lock_id: str
    reason: str = Field(min_length=1, max_length=500)


class WatchArgs(Args):
    """Which resources."""

    resources: Annotated[list[str], Field(min_length=1, max_length=16)]


def _lock(tx: Tx, call: Call, args: LockArgs, prepared: None) -> Outcome:
    got = acquire(
        tx,
        Acquire(
            principal=call.principal.id,
            resources=tuple(args.resources),
            mode=args.mode,
            ttl_seconds=args.ttl_seconds,
            wait_seconds=WAIT_SECONDS,
            max_hold_seconds=max(args.ttl_seconds, 3600.0),
            purpose=checked_reason(args.reason),
            channel=call.channel,
            kind="lock",
        ),
    )
    if isinstance(got, Lease):
        return Outcome(text=held_text(call, got), data={"lease": lease_json(got)}, record=False)
    if got.state == "refused":
        refusal = got.refusal()
        return Outcome(ok=False, code=refusal.code, text=refusal.message, refusal=refusal)
    lines = [f"{holder_text(call, each)}." for each in in_the_way(tx, got)]
    lines.append(
        f"{got.id}: you are {place_text(got)} for {', '.join(got.resources)}. You hear when it is yours; "
        f"`cancel {got.id}` gives the place up."
    )
    return Outcome(text="\n".join(lines), data={"ticket": ticket_json(got)}, record=False)


def _extend(tx: Tx, call: Call, args: ExtendArgs, prepared: None) -> Outcome:
    lease = extend(tx, call.principal.id, args.lock_id, args.seconds, call.channel)
    return Outcome(text=held_text(call, lease), data={"lease": lease_json(lease)}, record=False)


def _unlock(tx: Tx, call: Call, args: LeaseArgs, prepared: None) -> Outcome:
    lease = release(tx, call.principal.id, args.lock_id, None)
    return Outcome(text=f"{lease.lock_id}: given back", data={"lease": lease_json(lease)}, record=False)


def _transfer(tx: Tx, call: Call, args: TransferArgs, prepared: None) -> Outcome:
    to = call.world.people.find(args.to.removeprefix("@"))
    if to is None or to.kind is not Kind.PERSON:
        raise NotFound("unknown_person", f"nobody in hub.yaml is called {args.to!r}")
    any_owner = _takes_away(tx, call, args.lock_id)
    lease = transfer(tx, call.principal.id, args.lock_id, to.id, any_owner=any_owner, channel=call.channel)
    text = f"{lease.lock_id}: {to.name} has {', '.join(lease.resources)} now, in place of {args.lock_id}"
    return Outcome(text=text, data={"lease": lease_json(lease)}, record=False)


def _takes_away(tx: Tx, call: Call, lock_id: str) -> bool:
    """Whether the caller gives away what is not theirs, as who may break a lease may."""
    owner = principal_of(tx, lock_id)
    if owner == call.principal.id or call.principal.kind is not Kind.PERSON:
        return False
    if not call.world.rights.has(call.principal, "break"):
        return False
    permitted(tx, call, lock_id)
    return True


def _break(tx: Tx, call: Call, args: BreakArgs, prepared: None) -> Outcome:
    lease = break_lease(tx, call, args.lock_id, args.reason)
    text = f"{lease.lock_id}: broken; {name_of(call, lease.principal)} had {', '.join(lease.resources)} and is told why"
    return Outcome(text=text, data={"lease": lease_json(lease)}, record=False)


def _locks(tx: Tx, call: Call, args: NoArgs, prepared: None) -> Outcome:
    held, waiting = live(tx), queue(tx)
    zone = zone_of(call.principal, call.world.timezone)
    lines = [
        f"{each.lock_id}  {', '.join(each.resources)}  {name_of(call, each.principal)}"
        + ("  shared" if each.mode == _SHARED else "")
        + (f"  until {show_moment(each.expires_at, zone)}" if each.expires_at else "  closed: its run's end is unknown")
        + (f"  ({each.purpose})" if each.purpose else "")
        for each in held
    ]
    lines += [
        f"{each.id}  {name_of(call, each.principal)} waits for {', '.join(each.resources)}, {place_text(each)}"
        for each in waiting
    ]
    data = {"items": [lease_json(each) for each in held], "waiting": [ticket_json(each) for each in waiting]}
    return Outcome(text="\n".join(lines) or "Nothing is leased.", data=data)


def _watch(tx: Tx, call: Call, args: WatchArgs, prepared: None) -> Outcome:
    free = watch(tx, call.principal.id, args.resources, call.channel)
    busy = [each for each in args.resources if each not in free]
    lines = [f"{each} is free now." for each in free]
    lines += [f"You hear once when {each} is free; that keeps no place. `unwatch {each}` ends it." for each in busy]
    return Outcome(text="\n".join(lines), data={"free": free, "watched": busy})


def _unwatch(tx: Tx, call: Call, args: WatchArgs, prepared: None) -> Outcome:
    count = unwatch(tx, call.principal.id, args.resources)
    return Outcome(text=f"{count} of them no longer watched.", data={"ended": count})


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
        usage="lock [shared] <kind:name…> [for 30m] [because <reason>]",
        summary="Keep everybody off some resources for a while, or stand in the queue for them.",
    ),
    Verb(
        name="extend",
        args=ExtendArgs,
        run=_extend,
        permission=Permission.LEASE,
        positional=("lock_id", "seconds"),
        clauses={"for": "seconds", "by": "seconds"},
        locks=LEASE_LOCKS,
        urgent=True,
        usage="extend <lock> <30m>",
        summary="Keep a lock for longer.",
    ),
    Verb(
        name="unlock",
        args=LeaseArgs,
        run=_unlock,
        permission=Permission.LEASE,
        positional=("lock_id",),
        locks=LEASE_LOCKS,
        urgent=True,
        usage="unlock <lock>",
        summary="Give a lock back.",
    ),
    Verb(
        name="transfer",
        args=TransferArgs,
        run=_transfer,
        permission=Permission.LEASE,
        positional=("lock_id",),
        clauses={"to": "to"},
        locks=LEASE_LOCKS,
        usage="transfer <lock> to @<person>",
        summary="Give a lock to somebody else, with nobody in between.",
    ),
    Verb(
        name="break",
        args=BreakArgs,
        run=_break,
        permission=Permission.BREAK,
        people_only=True,
        positional=("lock_id",),
        because="reason",
        locks=LEASE_LOCKS,
        urgent=True,
        usage="break <lease> because <reason>",
        summary="End another's lease; its holder is told why.",
    ),
    Verb(
        name="watch",
        args=WatchArgs,
        run=_watch,
        permission=Permission.LEASE,
        rest="resources",
        locks=LEASE_LOCKS,
        usage="watch <kind:name…>",
        summary="Hear once when resources are free, without a place in their queue.",
    ),
    Verb(
        name="unwatch",
        args=WatchArgs,
        run=_unwatch,
        permission=Permission.LEASE,
        rest="resources",
        locks=LEASE_LOCKS,
        usage="unwatch <kind:name…>",
        summary="Not hear of them any more.",
    ),
    Verb(
        name="locks",
        args=NoArgs,
        run=_locks,
        permission=Permission.READ,
        usage="locks",
        summary="What is leased, by whom, until when and why, and who waits.",
    ),
    Verb(
        name="cancel",
        args=TicketArgs,
        run=cancel_place,
        permission=Permission.LEASE,
        positional=("ticket",),
        locks=LEASE_LOCKS,
        urgent=True,
        usage="cancel <ticket>",
        summary="Give up a place in the queue.",
    ),
)
