"""About when a waiter's turn comes: from the past, and from nothing where nobody can know."""

from __future__ import annotations

from core.leases.forecast import Held, Past, Waiter, forecast, typical

PAST = [Past(resources=("env:prod",), seconds=each) for each in (50.0, 60.0, 1_000.0)]


def waiter(name: str, *behind: str) -> Waiter:
    return Waiter(name=name, resources=("env:prod",), behind=behind)


def test_what_is_typical_is_the_median_of_what_overlaps() -> None:
    assert typical(["env:prod"], PAST) == 60.0
    assert typical(["env:prod/web"], PAST) == 60.0
    assert typical(["env:staging"], PAST) is None


def test_a_turn_comes_when_the_one_before_usually_ends() -> None:
    held = [Held(name="L1", resources=("env:prod",), seconds=20.0)]
    turns = forecast(held, [waiter("T1", "L1"), waiter("T2", "L1", "T1")], PAST)
    assert turns == {"T1": 40.0, "T2": 100.0}


def test_a_lease_that_is_held_longer_than_usual_may_end_at_any_time() -> None:
    held = [Held(name="L1", resources=("env:prod",), seconds=90.0)]
    assert forecast(held, [waiter("T1", "L1")], PAST) == {"T1": 0.0}


def test_a_lock_ends_when_its_time_is_over_at_the_latest() -> None:
    held = [Held(name="L1", resources=("env:prod",), seconds=0.0, at_most=7.0)]
    assert forecast(held, [waiter("T1", "L1")], []) == {"T1": 7.0}
    assert forecast(held, [waiter("T1", "L1")], PAST) == {"T1": 7.0}


def test_nobody_can_say_behind_what_is_closed_or_was_never_held_before() -> None:
    closed = [Held(name="L1", resources=("env:prod",), seconds=1.0, closed=True)]
    assert forecast(closed, [waiter("T1", "L1"), waiter("T2", "T1")], PAST) == {"T1": None, "T2": None}
    unknown = [Held(name="L1", resources=("env:prod",), seconds=1.0)]
    assert forecast(unknown, [waiter("T1", "L1")], []) == {"T1": None}


def test_who_waits_for_nobody_is_next() -> None:
    assert forecast([], [waiter("T1")], PAST) == {"T1": 0.0}
