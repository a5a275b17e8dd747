"""Circles of holders, in the rules alone: how far the search looks, who gives way, and what growing older may not do."""

from __future__ import annotations

from core.clock import SECOND
from core.leases.operations import Result, State, Tick
from core.leases.request import Acquire
from core.leases.rules import step
from core.leases.terms import MAX_HOPS, PLAIN

START = 1_767_225_600 * SECOND


class World:
    """The rules' state, and what happened."""

    def __init__(self) -> None:
        self.state = State()
        self.now = START
        self.events: list[tuple[str, int]] = []

    def ask(self, who: str, *resources: str, holder: str, wait: float = 1000.0, rank_class: int = PLAIN) -> Result:
        wanted = Acquire(
            principal=who,
            resources=resources,
            holder=holder,
            wait_seconds=wait,
            ttl_seconds=3000,
            rank_class=rank_class,
        )
        self.state, result, events = step(self.state, wanted, self.now)
        self.events += events
        return result

    def tick(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)
        self.state, _, events = step(self.state, Tick(), self.now)
        self.events += events

    def chain(self, hops: int) -> Result:
        """So many holders, each of whom waits for the next; the last request closes the circle."""
        for number in range(hops):
            self.ask(f"p{number}", f"env:{number}", holder="h")
        for number in range(hops - 1):
            self.ask(f"p{number}", f"env:{number + 1}", holder="h")
        return self.ask(f"p{hops - 1}", "env:0", holder="h")


def test_a_circle_within_the_bound_is_refused_and_a_longer_one_is_left_to_its_time_limits() -> None:
    for hops, state in ((MAX_HOPS, "ended"), (MAX_HOPS + 1, "waiting")):
        result = World().chain(hops)
        assert result.entry is not None
        assert result.entry.state == state


def test_growing_older_never_makes_a_request_wait_for_itself() -> None:
    """`wide` waits for what `h1` holds; before the request of `h1` it would close a circle, so it does not age past it."""
    world = World()
    world.ask("ana", "env:a", holder="h1")
    world.ask("cai", "env:b", holder="h3")
    wide = world.ask("bo", "env:a", "env:b", holder="h2").entry
    early = world.ask("ana", "env:b", holder="h1", rank_class=PLAIN - 1).entry
    assert early is not None and wide is not None
    assert early.rank < wide.rank
    for _ in range(15):
        world.tick(61)
    assert world.state.entries[early.number].rank < world.state.entries[wide.number].rank
    assert "lease:deadlock" not in {event for event, _ in world.events}


def test_a_request_that_grows_older_passes_whoever_came_later_with_a_better_class() -> None:
    world = World()
    world.ask("ana", "env:a", holder="h1")
    old = world.ask("bo", "env:a", holder="h2").entry
    world.tick(61)
    young = world.ask("cai", "env:a", holder="h3", rank_class=PLAIN - 1).entry
    assert old is not None and young is not None
    assert world.state.entries[old.number].rank < young.rank
