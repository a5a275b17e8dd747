"""The rules of leases as one pure state machine. It is the specification: every store does what `step` does.

* A request is granted when no lease and no live waiter of better rank conflicts with it. Rank is (class, arrival).
* A lease whose time is over is in nobody's way, even before somebody reclaims it; a waiter whose time is over
  likewise. Whoever is granted in its place reclaims it first.
* What ends is handed out at once: the waiters whose resources conflict with what became free are looked at in the
  order of rank. The first that can be had is granted; a dead one that would have been next is removed.
* A heartbeat needs the token and a lease in force. It sets the time and never brings a lease back.
* Tokens are max(last + 1, now).
* A lease's mode and holder never change: another takes its place in the same step. A shared lease that waits to be
  exclusive stands before everybody, because everybody there waits for it anyway; it ends, and its place with it.
* A plain request that waited for AGE_US gets a better class, unless it would wait for itself there.
* Whoever begins to wait closes no circle: see deadlock.py.
* What lapsed with a lock delay keeps everybody off until that is over; its holder has lost it all the same.
"""

from __future__ import annotations

from dataclasses import replace

from core.clock import SECOND
from core.errors import Conflict
from core.leases.deadlock import resolve
from core.leases.desk import Desk
from core.leases.operations import (
    Break,
    Cancel,
    Close,
    Convert,
    EndRun,
    Entry,
    Event,
    Extend,
    Forgive,
    Heartbeat,
    Operation,
    Poll,
    Release,
    Reopen,
    Result,
    State,
    Tick,
    Transfer,
)
from core.leases.request import Acquire
from core.leases.terms import (
    LIMITS,
    MAX_TTL_SECONDS,
    RUN,
    SAMPLE_US,
    UPGRADE,
    ages_at,
    arrival_of,
    place_us,
)


def step(state: State, operation: Operation, now: int) -> tuple[State, Result, list[Event]]:
    """The state after `operation` at `now` (microseconds), its answer, and the log entries in order.

    A refused operation leaves the state as it was and no entries.
    """
    desk = Desk(state, now)
    try:
        result = _carry_out(desk, operation)
    except Conflict as refusal:
        return state, Result(code=refusal.code, held_by=refusal.data.get("held_by", ())), []
    return desk.state(), result, desk.events


def _carry_out(desk: Desk, operation: Operation) -> Result:
    match operation:
        case Acquire():
            return _acquire(desk, operation)
        case Heartbeat():
            return _heartbeat(desk, operation)
        case Release():
            return _release(desk, operation)
        case Convert():
            return _convert(desk, operation)
        case Transfer():
            return _transfer(desk, operation)
        case Extend():
            return _extend(desk, operation)
        case Break():
            entry = _granted(desk, operation.number)
            _require_in_force(desk, entry)
            return Result(entry=desk.end(entry, "broken", "lease:broken"))
        case Poll():
            return _poll(desk, operation)
        case Cancel():
            return _cancel(desk, operation)
        case Close():
            return _close(desk, _granted(desk, operation.number))
        case Reopen():
            return _end_if(desk, operation.number, ("closed",))
        case EndRun():
            return _end_if(desk, operation.number, ("held", "closed"))
        case Tick():
            return _tick(desk, operation.limit)
        case Forgive():
            return _forgive(desk, operation.stalled_us)


def _granted(desk: Desk, number: int) -> Entry:
    entry = desk.entries.get(number)
    if entry is None or entry.token is None:
        raise Conflict("not_found", "there is no such lease")
    return entry


def _require_in_force(desk: Desk, entry: Entry) -> None:
    if entry.state == "closed":
        raise Conflict("lease_closed", "its run's outcome is unknown")
    if entry.state != "held" or not desk.alive(entry):
        raise Conflict("lease_lost", "it ended or lapsed")


def _acquire(desk: Desk, request: Acquire) -> Result:
    if request.request_key is not None:
        for entry in desk.entries.values():
            if (entry.principal, entry.key) == (request.principal, request.request_key):
                return _place_of(desk, entry) if entry.state == "waiting" else Result(entry=entry)
    if request.rank_class != RUN:
        _check_leases(desk, request.principal)
    entry = _entry(desk, request)
    way = desk.in_the_way(entry)
    if way and request.wait_us == 0:
        raise _held(way)
    if way and request.rank_class != RUN:
        _check_tickets(desk, request)
    return _enqueue(desk, entry, request.wait_us) if way else Result(entry=desk.grant_first(_numbered(desk, entry)))


def _numbered(desk: Desk, entry: Entry) -> Entry:
    desk.last_number += 1
    return entry


def _held(way: list[Entry]) -> Conflict:
    return Conflict("held", "it is held", held_by=tuple(other.number for other in way if other.state != "waiting"))


def _check_leases(desk: Desk, principal: str) -> None:
    if sum(e.state == "held" and e.principal == principal and desk.alive(e) for e in desk.entries.values()) >= (
        LIMITS.leases
    ):
        raise Conflict("too_many_leases", "too many leases")


def _entry(desk: Desk, request: Acquire) -> Entry:
    number = desk.last_number + 1
    return Entry(
        number=number,
        state="waiting",
        resources=request.resources,
        mode=request.mode,
        principal=request.principal,
        holder=request.holder,
        rank=(request.rank_class, arrival_of(number)),
        ttl_us=request.ttl_us,
        max_hold_us=request.max_hold_us,
        lock_delay_us=request.lock_delay_us,
        key=request.request_key,
        kind=request.kind,
        approved=request.approval is not None,
    )


def _check_tickets(desk: Desk, request: Acquire) -> None:
    mine = [e for e in desk.entries.values() if e.principal == request.principal]
    waiting = [e for e in mine if e.state == "waiting" and desk.alive(e)]
    if len(waiting) >= LIMITS.tickets or any(
        sum(wanted in other.resources for other in waiting) >= LIMITS.tickets_a_resource for wanted in request.resources
    ):
        raise Conflict("too_many_tickets", "too many tickets")


def _enqueue(desk: Desk, entry: Entry, wait_us: int) -> Result:
    if desk.position(entry) > LIMITS.queue and entry.rank[0] > RUN:
        raise Conflict("queue_full", "too many wait")
    wait_until = desk.now + wait_us
    entry = desk.put(
        replace(
            _numbered(desk, entry),
            wait_until=wait_until,
            expires_at=min(wait_until, desk.now + place_us(entry.ttl_us)),
            ages_at=ages_at(entry.rank[0], desk.now),
        )
    )
    if resolve(desk, desk.waiter(entry)):
        desk.events.append(("lease:queued", entry.number))
    if desk.freed:
        desk.hand_out([*desk.freed, *entry.resources])
    return _place_of(desk, desk.entries[entry.number])


def _place_of(desk: Desk, entry: Entry) -> Result:
    if entry.state != "waiting":
        return Result(entry=entry)
    position = desk.position(entry)
    return Result(entry=entry, position=position, expected_us=desk.expected_us(entry, position))


def _convert(desk: Desk, operation: Convert) -> Result:
    old = _with_token(desk, _own(desk, operation.principal, operation.number), operation.token)
    if old.mode == operation.mode:
        return Result(entry=old)
    new = replace(_successor(desk, old), mode=operation.mode)
    if operation.mode == "shared":
        return Result(entry=_replace(desk, old, new, "converted"))
    new = replace(new, rank=(UPGRADE, arrival_of(new.number)))
    way = desk.in_the_way(new)
    if not way:
        return Result(entry=_replace(desk, old, replace(new, rank=old.rank), "converted"))
    if operation.wait_us == 0:
        raise _held(way)
    if old.upgrade is not None:
        raise Conflict("already_waiting", "it already waits to be exclusive")
    desk.put(replace(old, upgrade=new.number))
    return _enqueue(desk, new, operation.wait_us)


def _transfer(desk: Desk, operation: Transfer) -> Result:
    old = _own(desk, operation.actor, operation.number)
    if old.kind == "run":
        raise Conflict("not_transferable", "it belongs to a run")
    _with_token(desk, old, operation.token)
    if operation.to == old.principal and operation.holder is None:
        return Result(entry=old)
    _check_leases(desk, operation.to)
    new = replace(_successor(desk, old), principal=operation.to, holder=operation.holder)
    return Result(entry=_replace(desk, old, new, "transferred"))


def _with_token(desk: Desk, entry: Entry, token: int) -> Entry:
    _require_in_force(desk, entry)
    if entry.token != token:
        raise Conflict("lease_lost", "the token is another")
    return entry


def _successor(desk: Desk, old: Entry) -> Entry:
    return replace(
        old,
        number=desk.last_number + 1,
        state="waiting",
        holder=old.who[1],
        max_hold_us=old.acquired_at + old.max_hold_us - desk.now,
        key=None,
        replaces=old.number,
        upgrade=None,
        wait_until=0,
        token=None,
    )


def _replace(desk: Desk, old: Entry, new: Entry, how: str) -> Entry:
    assert old.expires_at is not None
    desk.put(replace(old, state="ended", ended=how))
    desk.drop_upgrade(old)
    lives_us = old.expires_at - desk.now if old.kind == "lock" else min(new.ttl_us, new.max_hold_us)
    granted = desk.hold(_numbered(desk, new), lives_us)
    desk.hand_out(new.resources)
    return granted


def _extend(desk: Desk, operation: Extend) -> Result:
    entry = _own(desk, operation.principal, operation.number)
    if entry.kind != "lock":
        raise Conflict("not_a_lock", "it lives by heartbeats")
    _require_in_force(desk, entry)
    assert entry.expires_at is not None
    until = entry.expires_at + operation.by_us
    if until > desk.now + MAX_TTL_SECONDS * SECOND:
        raise Conflict("too_long", "it would last too long")
    desk.events.append(("lease:renewed", entry.number))
    return Result(entry=desk.put(replace(entry, expires_at=until)))


def _heartbeat(desk: Desk, beat: Heartbeat) -> Result:
    entry = _own(desk, beat.principal, beat.number)
    _with_token(desk, entry, beat.token)
    assert entry.expires_at is not None
    until = min(desk.now + entry.ttl_us, entry.acquired_at + entry.max_hold_us)
    entry = replace(entry, expires_at=max(entry.expires_at, until))
    if entry.noted_at <= desk.now - SAMPLE_US:
        entry = replace(entry, noted_at=desk.now)
        desk.events.append(("lease:renewed", entry.number))
    return Result(entry=desk.put(entry))


def _own(desk: Desk, principal: str, number: int) -> Entry:
    entry = _granted(desk, number)
    if entry.principal != principal:
        raise Conflict("not_found", "there is no such lease of theirs")
    return entry


def _release(desk: Desk, operation: Release) -> Result:
    entry = _own(desk, operation.principal, operation.number)
    if entry.token == operation.token and entry.ended == "released":
        return Result(entry=entry)
    _with_token(desk, entry, operation.token)
    return Result(entry=desk.end(entry, "released", "lease:released"))


def _place(desk: Desk, principal: str, number: int) -> Entry:
    entry = desk.entries.get(number)
    if entry is None or entry.principal != principal or not entry.wait_until:
        raise Conflict("not_found", "there is no such place of theirs")
    return entry


def _poll(desk: Desk, operation: Poll) -> Result:
    entry = _place(desk, operation.principal, operation.number)
    if entry.state != "waiting" or entry.expires_at is None:
        return Result(entry=entry)
    if not desk.keeps_its_place(entry):
        return Result(entry=desk.end(entry, "expired", "lease:cancelled"))
    until = min(entry.wait_until, desk.now + place_us(entry.ttl_us))
    entry = desk.put(replace(entry, expires_at=max(entry.expires_at, until)))
    if desk.in_the_way(entry):
        return _place_of(desk, entry)
    return Result(entry=desk.grant_first(entry))


def _cancel(desk: Desk, operation: Cancel) -> Result:
    entry = _place(desk, operation.principal, operation.number)
    if entry.token is not None:
        raise Conflict("already_granted", "it was granted")
    if entry.state != "waiting":
        return Result(entry=entry)
    return Result(entry=desk.end(entry, "cancelled", "lease:cancelled"))


def _close(desk: Desk, entry: Entry) -> Result:
    if entry.state == "closed":
        return Result(entry=entry)
    if entry.ended in ("released", "converted", "transferred"):
        raise Conflict("lease_lost", "it was given back or replaced")
    return Result(entry=desk.put(replace(entry, state="closed", ended=None, expires_at=None)))


def _end_if(desk: Desk, number: int, states: tuple[str, ...]) -> Result:
    entry = desk.entries.get(number)
    if entry is None or entry.state not in states:
        return Result(done=False)
    return Result(entry=desk.end(entry, "released", "lease:released"), done=True)


def _tick(desk: Desk, limit: int) -> Result:
    due = sorted(
        (entry.free_at, entry.number)
        for entry in desk.entries.values()
        if entry.state in ("held", "waiting") and entry.free_at is not None and entry.free_at <= desk.now
    )
    for _, number in due[:limit]:
        entry = desk.entries[number]
        if entry.state == "held" and not desk.blocks(entry):
            desk.end(entry, "reclaimed", "lease:reclaimed")
        elif entry.state == "waiting" and not desk.alive(entry):
            desk.end(entry, "expired", "lease:cancelled")
    _age(desk, limit)
    left = [
        at
        for e in desk.entries.values()
        if e.state in ("held", "waiting")
        for at in (e.free_at, e.ages_at)
        if at is not None
    ]
    return Result(deadline=min(left, default=None))


def _age(desk: Desk, limit: int) -> None:
    due = sorted(
        (e.ages_at, e.number) for e in desk.entries.values() if e.ages_at is not None and e.ages_at <= desk.now
    )
    for ages, number in due[:limit]:
        entry = desk.entries[number]
        if entry.state != "waiting" or ages is None:
            continue
        better = entry.rank[0] - 1
        desk.put(replace(entry, ages_at=ages_at(better, ages)))
        if desk.keeps_clear(desk.entries[number], (better, entry.rank[1])):
            desk.hand_out(entry.resources)


def _forgive(desk: Desk, stalled_us: int) -> Result:
    began = desk.now - stalled_us
    for entry in list(desk.entries.values()):
        lived = entry.state in ("held", "waiting") and entry.expires_at is not None and entry.expires_at > began
        if lived and entry.expires_at is not None and entry.ttl_us < stalled_us * 3:
            desk.put(replace(entry, expires_at=entry.expires_at + stalled_us))
    return Result()
