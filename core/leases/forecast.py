"""About when each waiter may be granted, from how long leases of the same resources were held lately. Pure.

A guess for people who wait, never a promise: whoever holds a lease may keep it longer, and nobody knows of one that an
unknown outcome keeps closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from core.leases.resource import overlap


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """How long one lease was held."""

    resources: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """Who waits behind whom: names of leases and of waiters with a better rank."""

    name: str
    resources: tuple[str, ...]
    behind: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lease in force, and for how long it has been."""

    name: str
    resources: tuple[str, ...]
    seconds: float
    at_most: float | None = None
    """Seconds after which it ends unless somebody extends it; None where it is renewed, or kept closed."""
    closed: bool = False
    """Whether nobody can know when it ends."""


def typical(resources: Sequence[str], past: Iterable[Past]) -> float | None:
    """The median of how long leases that overlap were held; None when there was none."""
    found = [each.seconds for each in past if overlap(each.resources, resources)]
    return median(found) if found else None


def forecast(held: Iterable[Held], waiters: Iterable[Waiter], past: Sequence[Past]) -> dict[str, float | None]:
    """Seconds until each waiter's turn, by name; waiters come best rank first. None where nobody can say."""
    free: dict[str, float | None] = {each.name: _left(each, past) for each in held}
    turns: dict[str, float | None] = {}
    for waiter in waiters:
        turn = _latest(free, waiter.behind)
        turns[waiter.name] = turn
        hold = typical(waiter.resources, past)
        free[waiter.name] = None if turn is None or hold is None else turn + hold
    return turns


def _left(held: Held, past: Sequence[Past]) -> float | None:
    if held.closed:
        return None
    hold = typical(held.resources, past)
    usual = None if hold is None else max(0.0, hold - held.seconds)
    return min((each for each in (usual, held.at_most) if each is not None), default=None)


def _latest(free: Mapping[str, float | None], names: Iterable[str]) -> float | None:
    latest = 0.0
    for name in names:
        at = free.get(name, 0.0)
        if at is None:
            return None
        latest = max(latest, at)
    return latest
