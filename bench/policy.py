"""Counting: 50 seats against 500 people, the easy way and the way that makes a matching search."""

from __future__ import annotations

import time
from statistics import median

from core.people.directory import Directory, Kind, Principal
from core.policy.ballot import Vote
from core.policy.counting import could_satisfy, tally
from core.policy.policy import Policy, Requirement
from core.policy.who import who

PEOPLE = 500
NOBODY: frozenset[str] = frozenset()


def matching() -> dict[str, float]:
    """Milliseconds for one count, the check that it is possible, and `who`, over ten groups of five seats.

    Everybody is in three groups, and the first come crowd into the same one, so that most must be moved.
    """
    people = Directory(
        {f"p{n:03}": _person(n, frozenset({"g0", f"g{n % 10}", f"g{(n * 7 + 3) % 10}"})) for n in range(PEOPLE)}
    )
    policy = Policy(name="bench", require=tuple(Requirement(group=f"g{n}", count=5) for n in range(10)))
    votes = [Vote(person=each.id) for each in people]
    short = votes[:45]
    return {
        "count ms": _median(lambda: tally(policy, votes, people, NOBODY)),
        "could satisfy ms": _median(lambda: could_satisfy(policy, people, NOBODY)),
        "who ms": _median(lambda: who(policy, short, people, NOBODY)),
    }


def _person(number: int, groups: frozenset[str]) -> Principal:
    name = f"p{number:03}"
    return Principal(id=name, kind=Kind.PERSON, name=name, groups=groups)


def _median(work: object, rounds: int = 50) -> float:
    assert callable(work)
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1000)
    return median(took)
