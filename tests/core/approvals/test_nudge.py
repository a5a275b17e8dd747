"""When reminders and escalations fall due, and that each happens once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from court import Court, person, sre
from nodes import nodes, overlapping

from core.approvals.approval import change, find
from core.approvals.nudge import nudge
from core.clock import SECOND
from core.leases.terms import LEASE_LOCKS
from core.policy.policy import Escalation, Hours, Policy
from core.store.tx import Tx

PEOPLE = (person("ana", "sre"), person("bo", "sre"), person("cai", "leads"))
HOUR = 3600.0
START_US = 1_767_225_600 * SECOND
"""Thursday, 1 January 2026, 00:00 UTC, when every court's clock begins."""
OFFICE = Hours(days=frozenset(range(5)), begin_minute=9 * 60, end_minute=17 * 60, timezone="UTC")


@pytest.fixture
def open_court(tmp_path: Path) -> Iterator[Any]:
    courts: list[Court] = []

    def make(policy: Policy) -> Court:
        courts.append(Court(tmp_path, PEOPLE, policy))
        return courts[-1]

    yield make
    for court in courts:
        court.close()


def hours_from_start(court: Court, us: int | None) -> float:
    assert us is not None
    return (us - START_US) / SECOND / HOUR


def test_what_fell_due_while_the_hub_was_down_waits_for_the_next_morning(open_court: Any) -> None:
    escalate = (Escalation(after_seconds=HOUR, to="leads"),)
    court = open_court(sre(remind_seconds=HOUR, escalate=escalate, hours=OFFICE, review_seconds=40 * HOUR))
    number = court.review("ana")
    assert hours_from_start(court, court.write(find, number).remind_at) == 10
    court.clock.advance(20 * HOUR)

    assert court.write(nudge, court.world) == 0
    seen = court.write(find, number)
    assert (hours_from_start(court, seen.remind_at), hours_from_start(court, seen.escalate_at)) == (33, 33)

    court.clock.advance(13 * HOUR)
    assert court.write(nudge, court.world) == 2
    assert [each["event"] for each in court.events("approval:reminded", "approval:escalated")] == [
        "approval:reminded",
        "approval:escalated",
    ]


def test_every_step_of_escalation_counts_from_when_it_came_under_review(open_court: Any) -> None:
    steps = (Escalation(after_seconds=HOUR, to="leads"), Escalation(after_seconds=2 * HOUR, to="ana"))
    court = open_court(sre(escalate=steps, review_seconds=24 * HOUR))
    number = court.review("ana", checked_after=5 * HOUR)
    court.clock.advance(HOUR)
    assert court.write(nudge, court.world) == 1
    assert hours_from_start(court, court.write(find, number).escalate_at) == 7


def test_a_request_that_came_back_under_review_is_reminded_of_again(open_court: Any) -> None:
    court = open_court(sre(2, reject=2, remind_seconds=HOUR))
    court.now_are(*PEOPLE, person("dee", "sre"), person("eve", "sre"))
    number = court.review("ana")
    court.decide(number, "bo")
    court.decide(number, "dee")
    assert court.write(find, number).remind_at is None
    court.decide(number, "bo", "reject")
    assert court.state(number) == "REVIEWING"
    court.clock.advance(HOUR)
    assert court.write(nudge, court.world) == 1


@pytest.mark.parametrize("locks", [LEASE_LOCKS, ()], ids=["with the lock", "by the guard alone"])
def test_of_two_nodes_one_reminds(postgres_dsn: str, locks: tuple[str, ...]) -> None:
    with nodes(postgres_dsn) as (first, second):
        court = Court(None, PEOPLE, sre(remind_seconds=HOUR), first)
        number = court.review("ana")
        court.write(lambda tx: change(tx, find(tx, number), remind_at=1))

        def run(tx: Tx) -> int:
            return nudge(tx, court.world)

        assert overlapping(postgres_dsn, first, run, second, run, locks=locks) == (1, 0)
        assert len(court.events("approval:reminded")) == 1
