"""Who sits where: as many seats filled as the people allow, each person in at most one."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence


def seat(places: Mapping[str, Sequence[int]], counts: Sequence[int]) -> list[list[str]]:
    """The people in each kind of seat, as many as possible in total; `counts[kind]` seats exist of each.

    `places` says which kinds each person may take; earlier people and kinds are preferred where it makes no
    difference. Maximum bipartite matching by augmenting paths, found breadth first.
    """
    seated: list[list[str]] = [[] for _ in counts]
    for person in places:
        _augment(person, places, counts, seated)
    return seated


def _augment(person: str, places: Mapping[str, Sequence[int]], counts: Sequence[int], seated: list[list[str]]) -> None:
    """`person` has a seat if there is any way of moving the others that leaves one free."""
    came: dict[int, tuple[str, int | None]] = {}
    todo: deque[tuple[str, int | None]] = deque([(person, None)])
    while todo:
        mover, leaving = todo.popleft()
        for kind in places[mover]:
            if kind in came:
                continue
            came[kind] = (mover, leaving)
            if len(seated[kind]) < counts[kind]:
                _move(kind, came, seated)
                return
            todo.extend((sitting, kind) for sitting in seated[kind])


def _move(free: int, came: Mapping[int, tuple[str, int | None]], seated: list[list[str]]) -> None:
    """Everybody on the path to the `free` kind has moved one seat along it."""
    kind: int | None = free
    while kind is not None:
        mover, leaving = came[kind]
        seated[kind].append(mover)
        if leaving is not None:
            seated[leaving].remove(mover)
        kind = leaving
