"""The rules' working copy of the state: who is in whose way, granting, ending, handing out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from core.leases.operations import Entry, Event, State
from core.leases.resource import overlap
from core.leases.terms import next_token


def _clash(one: Entry, other: Entry) -> bool:
    return "exclusive" in (one.mode, other.mode) and overlap(one.resources, other.resources)


class Desk:
    """One operation in progress at `now`. The state that it began with is not touched."""

    def __init__(self, state: State, now: int) -> None:
        self.now = now
        self.entries = dict(state.entries)
        self.last_token = state.last_token
        self.arrivals = state.arrivals
        self.last_number = state.last_number
        self.events: list[Event] = []

    def state(self) -> State:
        """The state as it is now."""
        return State(
            entries=self.entries, last_token=self.last_token, arrivals=self.arrivals, last_number=self.last_number
        )

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
        """The place of a waiter: 1 is next."""
        return 1 + sum(other.state == "waiting" for other in self.obstacles(entry))

    def waits_for_itself(self, entry: Entry) -> bool:
        """Whether following who waits for whom leads back to the entry's holder."""
        seen: set[tuple[str, str]] = set()
        todo = [entry]
        while todo:
            for other in self.obstacles(todo.pop()):
                if other.who == entry.who:
                    return True
                if other.who not in seen:
                    seen.add(other.who)
                    todo += [
                        e
                        for e in self.entries.values()
                        if e.state == "waiting" and self.alive(e) and e.who == other.who
                    ]
        return False

    def put(self, entry: Entry) -> Entry:
        """The entry stands in the state as it is here."""
        self.entries[entry.number] = entry
        return entry

    def grant(self, entry: Entry) -> Entry:
        """The entry is held, with the next token."""
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

    def grant_first(self, entry: Entry) -> Entry:
        """Grant a request that has nobody in its way, reclaim what lapsed there, then hand out the rest of that."""
        freed = self.lapsed(entry)
        for other in freed:
            self.finish(other, "reclaimed", "lease:reclaimed")
        granted = self.grant(entry)
        self.hand_out(resource for other in freed for resource in other.resources)
        return granted

    def finish(self, entry: Entry, how: str, event: str) -> Entry:
        """The entry has ended as `how`; nothing is handed out yet."""
        self.events.append((event, entry.number))
        expires_at = self.now if entry.expires_at is None else entry.expires_at
        return self.put(replace(entry, state="ended", ended=how, expires_at=expires_at))

    def end(self, entry: Entry, how: str, event: str) -> Entry:
        """The entry has ended as `how`, and what it had is handed out."""
        ended = self.finish(entry, how, event)
        self.hand_out(entry.resources)
        return ended

    def hand_out(self, resources: Iterable[str]) -> None:
        """Everybody who waited for something that conflicts with `resources` and can have it now, has it."""
        region = list(resources)
        while (freed := self._walk(region)) is not None:
            region += freed

    def _walk(self, region: list[str]) -> list[str] | None:
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
