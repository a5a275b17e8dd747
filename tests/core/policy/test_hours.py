"""Clocks that count business hours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import SECOND, to_us
from core.policy.hours import after, within
from core.policy.policy import Hours

WEEK = Hours(days=frozenset(range(5)), begin_minute=9 * 60, end_minute=17 * 60, timezone="Europe/Madrid")
START = to_us(datetime(2026, 1, 1, tzinfo=UTC))


def at(text: str) -> int:
    return to_us(datetime.fromisoformat(text).astimezone(UTC))


@pytest.mark.parametrize(
    ("start", "seconds", "end"),
    [
        ("2026-11-20T10:00+01:00", 3600, "2026-11-20T11:00+01:00"),
        ("2026-11-20T16:30+01:00", 3600, "2026-11-23T09:30+01:00"),
        ("2026-11-21T12:00+01:00", 3600, "2026-11-23T10:00+01:00"),
        ("2026-11-20T03:00+01:00", 8 * 3600, "2026-11-20T17:00+01:00"),
        ("2026-11-20T03:00+01:00", 8 * 3600 + 1, "2026-11-23T09:00:01+01:00"),
        ("2026-10-23T16:00+02:00", 2 * 3600, "2026-10-26T10:00+01:00"),
        ("2026-03-27T16:00+01:00", 2 * 3600, "2026-03-30T10:00+02:00"),
    ],
)
def test_only_those_hours_pass(start: str, seconds: int, end: str) -> None:
    assert after(at(start), seconds, WEEK) == at(end)


def test_without_hours_every_hour_passes() -> None:
    assert after(START, 90.5, None) == START + int(90.5 * SECOND)


@given(st.integers(0, 500 * 86_400), st.integers(0, 30 * 86_400), st.integers(0, 5 * 86_400))
def test_the_clock_never_runs_backwards_and_adds_up(start: int, seconds: int, more: int) -> None:
    begin = START + start * SECOND
    first = after(begin, seconds, WEEK)
    assert first >= begin
    assert after(begin, seconds + more, WEEK) == after(first, more, WEEK) or more == 0
    assert seconds == 0 or within(first, WEEK) or within(first - SECOND, WEEK)
