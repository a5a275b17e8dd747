"""Who sits where: as many seats filled as the people allow, each person in at most one."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence


def seat(places: Mapping[str, Sequence[int]], counts: Sequence[int]) -> list[list[str]]:
    """The people in each kind of seat, as many as possible in total; `counts[kind]` seats exist of each.

    `places` says which kinds each person may take; earlier people and kinds are preferred where it makes no
    difference. Maximum bipartite matching by augmenting paths, found breadth first. Kinds from which no free seat can
    be reached stay so for ever (nobody moves in or out of them any more), so no search enters them again: everybody
    together costs about as much as looking at each possible place once.
    """
    seated: list[list[str]] = [[] for _ in counts]
    closed = [count < 1 for count in counts]
    for person in places:
        _augment(person, places, counts, seated, closed)
    return seated


def reachable(
    places: Mapping[str, Sequence[int]], counts: Sequence[int], seated: Sequence[Sequence[str]]
) -> frozenset[int]:
    """The kinds in which one more person would fill a seat: those with a free one, and those from which it is reached.

    `seated` is what `seat` gave for the same people and counts.
    """
    found = {kind for kind, sitting in enumerate(seated) if len(sitting) < counts[kind]}
    grew = bool(found)
    while grew:
        more = {
            kind
            for kind, sitting in enumerate(seated)
            if kind not in found and any(not found.isdisjoint(places[person]) for person in sitting)
        }
        found |= more
        grew = bool(more)
    return frozenset(found)


def _augment(
    person: str,
    places: Mapping[str, Sequence[int]],
    counts: Sequence[int],
    seated: list[list[str]],
    closed: list[bool],
) -> None:
    """`person` has a seat if there is any way of moving the others that leaves one free; else what was seen is closed."""
    came: dict[int, tuple[str, int | None]] = {}
    todo: deque[tuple[str, int | None]] = deque([(person, None)])
    while todo:
        mover, leaving = todo.popleft()
        for kind in places[mover]:
            if kind in came or closed[kind]:
                continue
            came[kind] = (mover, leaving)
            if len(seated[kind]) < counts[kind]:
                _move(kind, came, seated)
                return
            todo.extend((sitting, kind) for sitting in seated[kind])
    for kind in came:
        closed[kind] = True


def _move(free: int, came: Mapping[int, tuple[str, int | None]], seated: list[list[str]]) -> None:
    """Everybody on the path to the `free` kind has moved one seat along it."""
    kind: int | None = free
    while kind is not None:
        mover, leaving = came[kind]
        seated[kind].append(mover)
        if leaving is not None:
            seated[leaving].remove(mover)
        kind = leaving
