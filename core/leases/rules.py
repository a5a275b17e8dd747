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

from collections.abc import Iterable
from dataclasses import replace

from core.errors import Conflict
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
from core.leases.resource import overlap
from core.leases.terms import LIMITS, RUN, SAMPLE_US, place_us
from core.leases.token import next_token


def step(state: State, operation: Operation, now: int) -> tuple[State, Result, list[Event]]:
    """The state after `operation` at `now` (microseconds), its answer, and the log entries in order.

    A refused operation leaves the state as it was and no entries.
    """
    turn = _Turn(state, now)
    try:
        result = turn.carry_out(operation)
    except Conflict as refusal:
        return state, Result(code=refusal.code, held_by=refusal.data.get("held_by", ())), []
    after = State(
        entries=turn.entries, last_token=turn.last_token, arrivals=turn.arrivals, last_number=turn.last_number
    )
    return after, result, turn.events


def _clash(one: Entry, other: Entry) -> bool:
    return "exclusive" in (one.mode, other.mode) and overlap(one.resources, other.resources)


class _Turn:
    """One operation in progress on a copy of the state."""

    def __init__(self, state: State, now: int) -> None:
        self.now = now
        self.entries = dict(state.entries)
        self.last_token = state.last_token
        self.arrivals = state.arrivals
        self.last_number = state.last_number
        self.events: list[Event] = []

    def carry_out(self, operation: Operation) -> Result:
        match operation:
            case Acquire():
                return self.acquire(operation)
            case Heartbeat():
                return self.heartbeat(operation)
            case Release():
                return self.release(operation)
            case Break():
                entry = self.granted(operation.number)
                self.require_in_force(entry)
                return Result(entry=self.end(entry, "broken", "lease:broken"))
            case Poll():
                return self.poll(operation)
            case Cancel():
                return self.cancel(operation)
            case Close():
                return self.close(self.granted(operation.number))
            case Reopen():
                return self.end_if(operation.number, "closed")
            case EndRun():
                return self.end_if(operation.number, "held", "closed")
            case Tick():
                return self.tick(operation.limit)
            case Forgive():
                return self.forgive(operation.stalled_us)

    # Looking

    def alive(self, entry: Entry) -> bool:
        """Whether it is in force, or keeps its place, at this moment."""
        return entry.state == "closed" or (
            entry.state in ("held", "waiting") and entry.expires_at is not None and entry.expires_at > self.now
        )

    def obstacles(self, entry: Entry) -> list[Entry]:
        """What is in the way of a request: leases, and live waiters of better rank."""
        return [
            other
            for other in sorted(self.entries.values(), key=lambda other: (other.state, other.rank))
            if other.number != entry.number
            and self.alive(other)
            and _clash(entry, other)
            and (other.state != "waiting" or other.rank < entry.rank)
        ]

    def lapsed(self, entry: Entry) -> list[Entry]:
        """The leases that conflict with a request and whose time is over, by rank."""
        held = [e for e in self.entries.values() if e.state == "held" and not self.alive(e) and _clash(entry, e)]
        return sorted(held, key=lambda other: other.rank)

    def position(self, entry: Entry) -> int:
        return 1 + sum(other.state == "waiting" for other in self.obstacles(entry))

    def granted(self, number: int) -> Entry:
        entry = self.entries.get(number)
        if entry is None or entry.token is None:
            raise Conflict("not_found", "there is no such lease")
        return entry

    def own(self, principal: str, number: int) -> Entry:
        entry = self.granted(number)
        if entry.principal != principal:
            raise Conflict("not_found", "there is no such lease of theirs")
        return entry

    def require_in_force(self, entry: Entry) -> None:
        if entry.state == "closed":
            raise Conflict("lease_closed", "its run's outcome is unknown")
        if entry.state != "held" or not self.alive(entry):
            raise Conflict("lease_lost", "it ended or lapsed")

    # Asking

    def acquire(self, request: Acquire) -> Result:
        if request.request_key is not None:
            for entry in self.entries.values():
                if (entry.principal, entry.key) == (request.principal, request.request_key):
                    return Result(entry=entry, position=self.position(entry) if entry.state == "waiting" else 0)
        mine = [e for e in self.entries.values() if e.principal == request.principal and self.alive(e)]
        if request.rank_class != RUN and sum(e.state == "held" for e in mine) >= LIMITS.leases:
            raise Conflict("too_many_leases", "too many leases")
        entry = Entry(
            number=self.last_number + 1,
            state="waiting",
            resources=request.resources,
            mode=request.mode,
            principal=request.principal,
            holder=request.holder,
            rank=(request.rank_class, self.arrivals + 1),
            ttl_us=request.ttl_us,
            max_hold_us=request.max_hold_us,
            kind=request.kind,
            key=request.request_key,
        )
        way = self.obstacles(entry)
        if way and request.wait_us == 0:
            held = tuple(other.number for other in way if other.state != "waiting")
            raise Conflict("held", "it is held", held_by=held)
        if way and request.rank_class != RUN:
            self.check_tickets(request, [e for e in mine if e.state == "waiting"])
        self.last_number += 1
        self.arrivals += 1
        return self.enqueue(entry, request) if way else self.grant_first(entry)

    def check_tickets(self, request: Acquire, waiting: list[Entry]) -> None:
        if len(waiting) >= LIMITS.tickets or any(
            sum(wanted in other.resources for other in waiting) >= LIMITS.tickets_a_resource
            for wanted in request.resources
        ):
            raise Conflict("too_many_tickets", "too many tickets")

    def enqueue(self, entry: Entry, request: Acquire) -> Result:
        wait_until = self.now + request.wait_us
        expires_at = min(wait_until, self.now + place_us(entry.ttl_us))
        entry = self.put(replace(entry, queued=True, wait_until=wait_until, expires_at=expires_at))
        if entry.holder is not None and self.waits_for_itself(entry):
            self.events.append(("lease:deadlock", entry.number))
            return Result(entry=self.put(replace(entry, state="ended", ended="refused")))
        self.events.append(("lease:queued", entry.number))
        return Result(entry=entry, position=self.position(entry))

    def waits_for_itself(self, entry: Entry) -> bool:
        seen: set[tuple[str, str]] = set()
        todo = [entry]
        while todo:
            for other in self.obstacles(todo.pop()):
                if other.who == entry.who:
                    return True
                if other.who not in seen:
                    seen.add(other.who)
                    todo += [
                        e for e in self.entries.values() if e.state == "waiting" and self.alive(e) and e.who == other.who
                    ]
        return False

    # Granting

    def put(self, entry: Entry) -> Entry:
        self.entries[entry.number] = entry
        return entry

    def grant(self, entry: Entry) -> Entry:
        self.last_token = next_token(self.last_token, self.now)
        self.events.append(("lease:acquired", entry.number))
        return self.put(
            replace(
                entry,
                state="held",
                token=self.last_token,
                acquired_at=self.now,
                noted_at=self.now,
                expires_at=self.now + entry.ttl_us,
            )
        )

    def grant_first(self, entry: Entry) -> Result:
        """Grant a request that has nobody in its way, reclaim what lapsed there, then hand out the rest of that."""
        freed = self.lapsed(entry)
        for other in freed:
            self.finish(other, "reclaimed", "lease:reclaimed")
        granted = self.grant(entry)
        self.hand_out(resource for other in freed for resource in other.resources)
        return Result(entry=granted)

    def hand_out(self, resources: Iterable[str]) -> None:
        region = list(resources)
        while (freed := self.hand_out_once(region)) is not None:
            region += freed

    def hand_out_once(self, region: list[str]) -> list[str] | None:
        """Walk the waiters of the region; what more became free, or None at its end."""
        for entry in sorted(self.entries.values(), key=lambda e: e.rank):
            if entry.state != "waiting" or not overlap(entry.resources, region) or self.obstacles(entry):
                continue
            if not self.alive(entry):
                self.finish(entry, "expired", "lease:cancelled")
                return list(entry.resources)
            freed = self.lapsed(entry)
            for other in freed:
                self.finish(other, "reclaimed", "lease:reclaimed")
            self.grant(entry)
            if freed:
                return [resource for other in freed for resource in other.resources]
        return None
