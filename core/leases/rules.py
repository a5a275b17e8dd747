"""The rules of leases as one pure state machine. It is the specification: every store does what `step` does.

* A request is granted when no lease and no live waiter of better rank conflicts with it. Rank is (class, arrival).
* A lease whose time is over is in nobody's way, even before somebody reclaims it; a waiter whose time is over
  likewise. Whoever is granted in its place reclaims it first.
* What ends is handed out at once: the waiters whose resources conflict with what became free are looked at in the
  order of rank. The first that can be had is granted; a dead one that would have been next is removed.
* A heartbeat needs the token and a lease in force. It sets the time and never brings a lease back.
* Tokens are max(last + 1, now).
"""

from __future__ import annotations

from dataclasses import replace

from core.errors import Conflict
from core.leases.desk import Desk
from core.leases.operations import (
    Break,
    Cancel,
    Close,
    EndRun,
    Entry,
    Event,
    Forgive,
    Heartbeat,
    Operation,
    Poll,
    Release,
    Reopen,
    Result,
    State,
    Tick,
)
from core.leases.request import Acquire
from core.leases.terms import LIMITS, RUN, SAMPLE_US, place_us


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
                return Result(entry=entry, position=desk.position(entry) if entry.state == "waiting" else 0)
    mine = [e for e in desk.entries.values() if e.principal == request.principal and desk.alive(e)]
    if request.rank_class != RUN and sum(e.state == "held" for e in mine) >= LIMITS.leases:
        raise Conflict("too_many_leases", "too many leases")
    entry = _entry(desk, request)
    way = desk.obstacles(entry)
    if way and request.wait_us == 0:
        held = tuple(other.number for other in way if other.state != "waiting")
        raise Conflict("held", "it is held", held_by=held)
    if way and request.rank_class != RUN:
        _check_tickets(request, [e for e in mine if e.state == "waiting"])
    desk.last_number += 1
    desk.arrivals += 1
    return _enqueue(desk, entry, request) if way else Result(entry=desk.grant_first(entry))


def _entry(desk: Desk, request: Acquire) -> Entry:
    return Entry(
        number=desk.last_number + 1,
        state="waiting",
        resources=request.resources,
        mode=request.mode,
        principal=request.principal,
        holder=request.holder,
        rank=(request.rank_class, desk.arrivals + 1),
        ttl_us=request.ttl_us,
        max_hold_us=request.max_hold_us,
        key=request.request_key,
    )


def _check_tickets(request: Acquire, waiting: list[Entry]) -> None:
    if len(waiting) >= LIMITS.tickets or any(
        sum(wanted in other.resources for other in waiting) >= LIMITS.tickets_a_resource for wanted in request.resources
    ):
        raise Conflict("too_many_tickets", "too many tickets")


def _enqueue(desk: Desk, entry: Entry, request: Acquire) -> Result:
    wait_until = desk.now + request.wait_us
    expires_at = min(wait_until, desk.now + place_us(entry.ttl_us))
    entry = desk.put(replace(entry, wait_until=wait_until, expires_at=expires_at))
    if entry.holder is not None and desk.waits_for_itself(entry):
        return Result(entry=desk.finish(entry, "refused", "lease:deadlock"))
    desk.events.append(("lease:queued", entry.number))
    return Result(entry=entry, position=desk.position(entry))


def _heartbeat(desk: Desk, beat: Heartbeat) -> Result:
    entry = _own(desk, beat.principal, beat.number)
    _require_in_force(desk, entry)
    if entry.token != beat.token or entry.expires_at is None:
        raise Conflict("lease_lost", "the token is another")
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
    _require_in_force(desk, entry)
    if entry.token != operation.token:
        raise Conflict("lease_lost", "the token is another")
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
    if not desk.alive(entry):
        return Result(entry=desk.end(entry, "expired", "lease:cancelled"))
    until = min(entry.wait_until, desk.now + place_us(entry.ttl_us))
    entry = desk.put(replace(entry, expires_at=max(entry.expires_at, until)))
    if desk.obstacles(entry):
        return Result(entry=entry, position=desk.position(entry))
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
    if entry.state == "ended" and entry.ended == "released":
        raise Conflict("lease_lost", "it was released")
    return Result(entry=desk.put(replace(entry, state="closed", ended=None, expires_at=None)))


def _end_if(desk: Desk, number: int, states: tuple[str, ...]) -> Result:
    entry = desk.entries.get(number)
    if entry is None or entry.state not in states:
        return Result(done=False)
    return Result(entry=desk.end(entry, "released", "lease:released"), done=True)


def _tick(desk: Desk, limit: int) -> Result:
    due = sorted(
        (entry.expires_at, entry.number)
        for entry in desk.entries.values()
        if entry.state in ("held", "waiting") and entry.expires_at is not None and entry.expires_at <= desk.now
    )
    for _, number in due[:limit]:
        entry = desk.entries[number]
        if entry.state == "held" and not desk.alive(entry):
            desk.end(entry, "reclaimed", "lease:reclaimed")
        elif entry.state == "waiting" and not desk.alive(entry):
            desk.end(entry, "expired", "lease:cancelled")
    left = [e.expires_at for e in desk.entries.values() if e.state in ("held", "waiting") and e.expires_at is not None]
    return Result(deadline=min(left, default=None))


def _forgive(desk: Desk, stalled_us: int) -> Result:
    began = desk.now - stalled_us
    for entry in list(desk.entries.values()):
        lived = entry.state in ("held", "waiting") and entry.expires_at is not None and entry.expires_at > began
        if lived and entry.expires_at is not None and entry.ttl_us < stalled_us * 3:
            desk.put(replace(entry, expires_at=entry.expires_at + stalled_us))
    return Result()
