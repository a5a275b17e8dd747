"""The rules' working copy of the state: who is in whose way, granting, ending, handing out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from core.leases.deadlock import Obstacle, Rank, Step, Waiter, Who, find_cycle, first_free
from core.leases.operations import Entry, Event, State
from core.leases.resource import kinds_of, overlap
from core.leases.terms import mixed, next_token


def _clash(one: Entry, other: Entry) -> bool:
    return "exclusive" in (one.mode, other.mode) and overlap(one.resources, other.resources)


class Desk:
    """One operation in progress at `now`. The state that it began with is not touched. It is its own deadlock graph."""

    def __init__(self, state: State, now: int) -> None:
        self.now = now
        self.entries = dict(state.entries)
        self.pace = dict(state.pace)
        self.last_token = state.last_token
        self.last_number = state.last_number
        self.events: list[Event] = []
        self.freed: list[str] = []
        """The resources of whoever was refused or moved to solve a deadlock."""

    def state(self) -> State:
        """The state as it is now."""
        return State(
            entries=self.entries,
            pace=self.pace,
            last_token=self.last_token,
            last_number=self.last_number,
        )

    def alive(self, entry: Entry) -> bool:
        """Whether it is in force, or keeps its place, at this moment."""
        return entry.state == "closed" or (
            entry.state in ("held", "waiting") and entry.expires_at is not None and entry.expires_at > self.now
        )

    def blocks(self, entry: Entry) -> bool:
        """Whether it keeps others off at this moment: in force, alive in the queue, or lapsed within its lock delay."""
        if entry.state == "held":
            return entry.free_at is not None and entry.free_at > self.now
        return self.alive(entry)

    def in_the_way(self, entry: Entry) -> list[Entry]:
        """What is in the way of a request: leases, and live waiters of better rank."""
        return [
            other
            for other in sorted(self.entries.values(), key=lambda other: (other.state, other.rank))
            if other.number not in (entry.number, entry.replaces)
            and self.blocks(other)
            and _clash(entry, other)
            and (other.state != "waiting" or other.rank < entry.rank)
        ]

    def lapsed(self, entry: Entry) -> list[Entry]:
        """The leases that conflict with a request and whose time is over, by rank."""
        held = [
            e
            for e in self.entries.values()
            if e.state == "held" and not self.blocks(e) and e.number != entry.replaces and _clash(entry, e)
        ]
        return sorted(held, key=lambda other: other.rank)

    def position(self, entry: Entry) -> int:
        """The place of a waiter: 1 is next. Whoever did not speak in time counts until it is removed."""
        return 1 + sum(
            other.state == "waiting" and other.rank < entry.rank and _clash(entry, other)
            for other in self.entries.values()
            if other.number != entry.number
        )

    def expected_us(self, entry: Entry, position: int) -> int | None:
        """How long it probably waits, by the slowest of its kinds."""
        known = [self.pace[kind] * position for kind in kinds_of(entry.resources) if kind in self.pace]
        return max(known, default=None)

    def keeps_its_place(self, entry: Entry) -> bool:
        """Whether a waiter is alive, and the lease that it would replace is in force."""
        if not self.alive(entry):
            return False
        if entry.replaces is None:
            return True
        replaced = self.entries[entry.replaces]
        return replaced.state == "held" and self.alive(replaced)

    def put(self, entry: Entry) -> Entry:
        """The entry stands in the state as it is here."""
        self.entries[entry.number] = entry
        return entry

    def grant(self, entry: Entry) -> Entry:
        """The entry is held, with the next token. The lease that it replaces has ended; what was left of it is its."""
        left = entry.max_hold_us
        if entry.replaces is not None and entry.state == "waiting" and self.entries[entry.replaces].state == "held":
            replaced = self.entries[entry.replaces]
            left = replaced.acquired_at + replaced.max_hold_us - self.now
            self.put(replace(replaced, state="ended", ended="converted"))
        return self.hold(replace(entry, max_hold_us=left), min(entry.ttl_us, left))

    def hold(self, entry: Entry, lives_us: int) -> Entry:
        """The entry is held for that long, with the next token."""
        self.last_token = next_token(self.last_token, self.now)
        self.events.append(("lease:acquired", entry.number))
        return self.put(
            replace(
                entry,
                state="held",
                token=self.last_token,
                acquired_at=self.now,
                noted_at=self.now,
                expires_at=self.now + lives_us,
                ages_at=None,
            )
        )

    def grant_first(self, entry: Entry) -> Entry:
        """Grant a request that has nobody in its way, reclaim what lapsed there, then hand out the rest of that."""
        freed = self.lapsed(entry)
        for other in freed:
            self.finish(other, "reclaimed", "lease:reclaimed")
        granted = self.grant(entry)
        self.hand_out(resource for other in freed for resource in other.resources)
        return granted

    def finish(self, entry: Entry, how: str, event: str) -> Entry:
        """The entry has ended as `how`, and its upgrade with it; nothing is handed out yet."""
        self.events.append((event, entry.number))
        expires_at = self.now if entry.expires_at is None else entry.expires_at
        ended = self.put(replace(entry, state="ended", ended=how, expires_at=expires_at, ages_at=None))
        self.drop_upgrade(ended)
        return ended

    def drop_upgrade(self, entry: Entry) -> None:
        """The place that waited to replace the ended lease is gone too."""
        if entry.upgrade is not None and self.entries[entry.upgrade].state == "waiting":
            self.finish(self.entries[entry.upgrade], "expired", "lease:cancelled")

    def end(self, entry: Entry, how: str, event: str) -> Entry:
        """The entry has ended as `how`, and what it had is handed out."""
        ended = self.finish(entry, how, event)
        if self.hand_out(entry.resources) and ended.token is not None:
            held_us = max(0, self.now - ended.acquired_at)
            self.pace |= {kind: mixed(self.pace.get(kind), held_us) for kind in kinds_of(ended.resources)}
        return ended

    def hand_out(self, resources: Iterable[str]) -> int:
        """Everybody who waited for something that conflicts with `resources` and can have it now, has it; how many."""
        region = list(resources)
        before = self.granted()
        while (freed := self._walk(region)) is not None:
            region += freed
        return self.granted() - before

    def granted(self) -> int:
        """How many were granted in this operation so far."""
        return sum(name == "lease:acquired" for name, _ in self.events)

    def _walk(self, region: list[str]) -> list[str] | None:
        """Walk the waiters of the region; what more became free, or None at its end."""
        for entry in sorted(self.entries.values(), key=lambda e: e.rank):
            if entry.state != "waiting" or not overlap(entry.resources, region) or self.in_the_way(entry):
                continue
            if not self.keeps_its_place(entry):
                self.finish(entry, "expired", "lease:cancelled")
                return list(entry.resources)
            freed = self.lapsed(entry)
            for other in freed:
                self.finish(other, "reclaimed", "lease:reclaimed")
            self.grant(entry)
            if freed:
                return [resource for other in freed for resource in other.resources]
        return None

    # The graph of who waits for whom (see core.leases.deadlock).

    def waiter(self, entry: Entry) -> Waiter:
        """The entry in the graph."""
        return Waiter(
            number=entry.number,
            who=entry.who,
            resources=entry.resources,
            alone=entry.mode == "exclusive",
            rank=entry.rank,
            approved=entry.approved,
            replaces=entry.replaces is not None,
        )

    def obstacles(self, waiter: Waiter) -> Sequence[Obstacle]:
        return [
            Obstacle(
                number=other.number,
                who=other.who,
                resources=other.resources,
                waiter=self.waiter(other) if other.state == "waiting" else None,
            )
            for other in self.in_the_way(self.entries[waiter.number])
        ]

    def waits(self, who: Who) -> Sequence[Waiter]:
        mine = [e for e in self.entries.values() if e.state == "waiting" and self.alive(e) and e.who == who]
        return [self.waiter(each) for each in sorted(mine, key=lambda each: each.rank)]

    def leases(self, who: Who) -> int:
        return sum(e.state in ("held", "closed") and e.who == who for e in self.entries.values())

    def before(self, obstacle: Waiter) -> Rank:
        taken = {e.rank[1] for e in self.entries.values() if e.state == "waiting" and e.rank[0] == obstacle.rank[0]}
        return first_free(obstacle.rank, taken)

    def move(self, waiter: Waiter, rank: Rank) -> Waiter:
        self.put(replace(self.entries[waiter.number], rank=rank))
        return waiter._replace(rank=rank)

    def moved(self, waiter: Waiter, step: Step, circle: Sequence[Step]) -> None:
        self.events.append(("lease:deadlock", waiter.number))
        self.freed += waiter.resources

    def refuse(self, waiter: Waiter, circle: Sequence[Step]) -> None:
        self.finish(self.entries[waiter.number], "refused", "lease:deadlock")
        self.freed += waiter.resources

    def keeps_clear(self, entry: Entry, rank: Rank) -> bool:
        """The waiter has that rank, unless it would wait for itself there."""
        moved = self.move(self.waiter(entry), rank)
        if find_cycle(self, moved):
            self.move(moved, entry.rank)
            return False
        return True
