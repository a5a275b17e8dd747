"""A run raises the fence of each of its resources when it starts, and says at its end whether somebody came after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from court import Court, code, person, sre

from core.approvals.approval import change, find
from core.approvals.start import start
from core.approvals.view import view_of
from core.leases.acquiring import acquire
from core.leases.fence import check_fence, overtaken, raise_fence
from core.leases.lease import Lease, Ticket
from core.leases.request import Acquire
from core.leases.terms import RUN

PLACES = ("env:prod", "repo:web/src")


@pytest.fixture
def court(tmp_path: Path) -> Iterator[Court]:
    court = Court(tmp_path, (person("ana", "sre"), person("bo", "sre")), sre())
    yield court
    court.close()


def approved(court: Court) -> int:
    number = court.review("ana")
    court.decide(number, "bo")
    court.write(lambda tx: change(tx, find(tx, number), resources=list(PLACES)))
    return number


def queue(court: Court, number: int) -> Lease | Ticket:
    wanted = Acquire(
        principal="hub",
        resources=PLACES,
        rank_class=RUN,
        wait_seconds=600,
        holder=f"r{number}",
        approval=number,
        kind="run",
    )
    got: Lease | Ticket = court.write(acquire, wanted)
    return got


def started(court: Court, number: int) -> Lease:
    lease = queue(court, number)
    assert isinstance(lease, Lease)
    court.write(
        lambda tx: start(
            tx, court.world, found := find(tx, number), digest=found.digest or "", lease=lease, holder=lease.holder
        )
    )
    return lease


def test_a_start_raises_the_fence_of_each_resource_and_of_what_lies_above(court: Court) -> None:
    lease = started(court, approved(court))
    for name in (*PLACES, "repo:web", "repo:web/src/a"):
        with code("fenced"):
            court.write(raise_fence, [name], lease.token - 1)
    court.write(check_fence, PLACES, lease.token)
    assert not court.write(overtaken, ["repo:other", "env:test"], 1)


def test_a_run_behind_the_fence_does_not_start(court: Court) -> None:
    number = approved(court)
    lease = queue(court, number)
    assert isinstance(lease, Lease)
    court.write(raise_fence, ["repo:web"], lease.token + 1)
    with code("fenced"):
        court.write(
            lambda tx: start(
                tx, court.world, found := find(tx, number), digest=found.digest or "", lease=lease, holder=lease.holder
            )
        )
    assert court.state(number) == "APPROVED"


@pytest.mark.parametrize(("later", "said"), [(0, "held"), (1, "overtaken")])
def test_the_last_entry_of_a_run_says_whether_somebody_came_after_it(court: Court, later: int, said: str) -> None:
    number = approved(court)
    lease = started(court, number)
    court.write(raise_fence, ["repo:web/src/deep"], lease.token + later)
    court.end(number)
    (finished,) = court.events("apply:finished")
    assert (finished["fence"], finished["token"]) == (said, lease.token)


def test_a_run_shows_what_it_waits_for_and_who_has_it(court: Court) -> None:
    held = court.write(acquire, Acquire(principal="bo", resources=("repo:web",), purpose="a build", holder="task-1"))
    number = approved(court)
    assert isinstance(queue(court, number), Ticket)
    shown = court.write(view_of, court.world, find_now(court, number))["waiting_for"]
    by_name = {each["resource"]: each for each in shown}
    (holder,) = by_name["repo:web/src"]["held_by"]
    assert (holder["lock_id"], holder["holder"], holder["purpose"]) == (held.lock_id, "task-1", "a build")
    assert (by_name["env:prod"]["held_by"], by_name["env:prod"]["position"]) == ([], 1)


def find_now(court: Court, number: int) -> object:
    return court.write(find, number)
