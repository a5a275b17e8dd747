"""Circles of holders who wait for each other: finding one, and choosing who gives way. Pure; the graph is given.

A request waits for the leases (hard) and for the live waiters of better rank (soft) that conflict with it; a holder
waits by all its requests. A circle is looked for whenever an edge is made that may close one: a request begins to
wait, or its rank changes. With a soft edge in it nobody has to lose anything: the waiter there is moved before the
one that it waits behind. A hard circle refuses one waiting request; a lease is never taken away.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from core.leases.resource import conflict
from core.leases.terms import MAX_HOPS

Who = tuple[str, str]
"""A principal, and the holder that it named."""
Rank = tuple[int, int]
MOST_MOVES = 16
"""How many waiters one request moves at most before it counts as a hard circle."""


class Waiter(NamedTuple):
    """A request that waits."""

    number: int
    who: Who
    resources: tuple[str, ...]
    alone: bool
    rank: Rank
    approved: bool
    """Whether it is tied to an approved request: that one gives way last."""
    replaces: bool


class Obstacle(NamedTuple):
    """What a waiter waits for: a lease, or (`waiter`) somebody of better rank."""

    number: int
    who: Who
    resources: tuple[str, ...]
    waiter: Waiter | None = None
    label: str = ""
    """What people call it: `L7`, `T3`, or the run that holds it."""
    run: bool = False
    """Whether it is the lease of a run."""


class Step(NamedTuple):
    """One edge of a circle."""

    waiter: Waiter
    obstacle: Obstacle

    @property
    def soft(self) -> bool:
        """Whether only rank makes it wait, and not behind itself."""
        return self.obstacle.waiter is not None and self.obstacle.who != self.waiter.who

    @property
    def resource(self) -> str:
        """What it waits for there."""
        theirs = self.obstacle.resources
        return next(name for name in self.waiter.resources if any(conflict(name, other) for other in theirs))

    @property
    def fields(self) -> dict[str, str]:
        """The step as an answer carries it: `by` keeps `resource` from the holder."""
        return {
            "holder": self.waiter.who[1],
            "principal": self.waiter.who[0],
            "resource": self.resource,
            "by": self.obstacle.label or f"L{self.obstacle.number}",
            "how": "waits" if self.obstacle.waiter is not None else "holds",
        }


class Graph(Protocol):
    """Who waits for whom, as it is now. What `move` and `refuse` change shows in the next look."""

    def obstacles(self, waiter: Waiter) -> Sequence[Obstacle]:
        """What is in its way: leases first, then by rank."""
        ...

    def waits(self, who: Who) -> Sequence[Waiter]:
        """The live requests by which a holder waits, by rank."""
        ...

    def leases(self, who: Who) -> int:
        """How many leases a holder has."""
        ...

    def before(self, obstacle: Waiter) -> Rank:
        """The rank just before that waiter's."""
        ...

    def move(self, waiter: Waiter, rank: Rank) -> Waiter:
        """The waiter has that rank."""
        ...

    def moved(self, waiter: Waiter, step: Step, circle: Sequence[Step]) -> None:
        """The move is for good: it is recorded."""
        ...

    def refuse(self, waiter: Waiter, circle: Sequence[Step]) -> None:
        """The request is refused."""
        ...


def find_cycle(graph: Graph, start: Waiter) -> list[Step]:
    """A shortest circle through the holder of `start`; empty for none.

    Looks at MAX_HOPS requests, nearest first; a longer circle ends by its time limits instead.
    """
    reached: dict[Who, Step] = {}
    seen = {start.number}
    todo = deque([start])
    todo.extend(each for each in graph.waits(start.who) if each.number != start.number)
    hops = 0
    while todo and hops < MAX_HOPS:
        hops += 1
        waiter = todo.popleft()
        for obstacle in graph.obstacles(waiter):
            if obstacle.who in reached:
                continue
            reached[obstacle.who] = Step(waiter=waiter, obstacle=obstacle)
            if obstacle.who == start.who:
                return _path(reached, start.who)
            for each in graph.waits(obstacle.who):
                if each.number not in seen and not _covered(each, waiter):
                    seen.add(each.number)
                    todo.append(each)
    return []


def _covered(waiter: Waiter, by: Waiter) -> bool:
    """Whether everything in the way of `waiter` is in the way of `by` too, so that looking at `by` is enough."""
    return by.alone and not by.replaces and waiter.rank < by.rank and set(waiter.resources) <= set(by.resources)


def _path(reached: dict[Who, Step], start: Who) -> list[Step]:
    step = reached[start]
    steps = [step]
    while step.waiter.who != start:
        step = reached[step.waiter.who]
        steps.append(step)
    return steps[::-1]


def resolve(graph: Graph, start: Waiter) -> bool:
    """No circle goes through `start` any more; False when it was refused itself."""
    moves = 0
    while circle := find_cycle(graph, start):
        moved = _move_one(graph, circle) if moves < MOST_MOVES else None
        if moved is not None:
            moves += 1
            start = moved if moved.number == start.number else start
            continue
        loser = gives_way(graph, circle)
        graph.refuse(loser, circle)
        if loser.number == start.number:
            return False
    return True


def _move_one(graph: Graph, circle: Sequence[Step]) -> Waiter | None:
    """A waiter of the circle moved before the one that it stood behind, and closes no other circle there; None for none."""
    for step in circle:
        before = step.obstacle.waiter
        if not step.soft or before is None:
            continue
        moved = graph.move(step.waiter, graph.before(before))
        if not find_cycle(graph, moved):
            graph.moved(moved, step, circle)
            return moved
        graph.move(moved, step.waiter.rank)
    return None


def gives_way(graph: Graph, circle: Sequence[Step]) -> Waiter:
    """Who of the circle is refused: of the lowest class, then with the fewest leases, then the youngest.

    One that is tied to an approved request is the last to be chosen.
    """
    waiters = {step.waiter.number: step.waiter for step in circle}.values()
    return min(waiters, key=lambda each: (each.approved, -each.rank[0], graph.leases(each.who), -each.rank[1]))


def first_free(rank: Rank, taken: set[int]) -> Rank:
    """The nearest rank before that one which nobody of its class has."""
    arrival = rank[1] - 1
    while arrival in taken:
        arrival -= 1
    return rank[0], arrival
