"""When schedules come due: every time once, whatever the clocks do and however often the hub was away."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import SECOND, from_us, to_us
from core.errors import Invalid
from core.schedules.timing import GRACE_SECONDS, MOST_COUNTED, Timing, read_timing, turn

MADRID = ZoneInfo("Europe/Madrid")
MINUTE = 60 * SECOND


def at(text: str) -> int:
    return to_us(datetime.fromisoformat(text))


def cron(line: str, zone: str = "Europe/Madrid") -> Timing:
    return Timing(timezone=zone, cron=line)


def times(timing: Timing, begin: int, count: int) -> list[str]:
    found, now = [], begin
    for _ in range(count):
        step = timing.after(now)
        assert step is not None and step > now
        found.append(from_us(step).astimezone(MADRID).isoformat(timespec="minutes"))
        now = step
    return found


def test_a_daily_time_that_the_clocks_skip_comes_right_after_the_gap() -> None:
    assert times(cron("30 2 * * *"), at("2026-03-28T03:00+01:00"), 2) == [
        "2026-03-29T03:00+02:00",
        "2026-03-30T02:30+02:00",
    ]


def test_a_daily_time_that_the_clocks_repeat_comes_once() -> None:
    assert times(cron("30 2 * * *"), at("2026-10-24T03:00+02:00"), 2) == [
        "2026-10-25T02:30+02:00",
        "2026-10-26T02:30+01:00",
    ]


def test_an_hourly_line_follows_the_hours_that_pass() -> None:
    assert times(cron("0 * * * *"), at("2026-10-25T01:30+02:00"), 3) == [
        "2026-10-25T02:00+02:00",
        "2026-10-25T02:00+01:00",
        "2026-10-25T03:00+01:00",
    ]


@pytest.mark.parametrize("asked", ["2026-10-25T01:00:00+00:00", "2026-10-25T01:10:00+00:00"])
def test_asked_within_the_repeated_hour_the_next_time_is_never_in_the_past(asked: str) -> None:
    # The library alone answers 00:30 UTC here, half an hour before it was asked.
    assert cron("30 2 * * *").after(at(asked)) == at("2026-10-26T02:30:00+01:00")


@given(
    line=st.sampled_from(["30 2 * * *", "0 */2 * * *", "*/20 2 * * *", "*/7 1-3 * * *", "59 23 L * *", "0 9 * * 1-5"]),
    zone=st.sampled_from(["Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
    begin=st.integers(at("2026-01-01T00:00Z"), at("2027-12-31T00:00Z")),
)
@settings(deadline=None)
def test_asked_at_any_moment_the_next_time_is_the_next_of_the_whole_row(line: str, zone: str, begin: int) -> None:
    timing = cron(line, zone)
    first = timing.after(begin)
    assert first is not None and first > begin
    second = timing.after(first)
    assert second is not None
    between = (first + second) // 2
    again = timing.after(between)
    assert again == second or (again is not None and first < again)  # never back, never the same again


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0 0 30 2 *", "bad_cron"),
        ("0 0 31 4,6,9,11 *", "bad_cron"),
        ("* * * * * *", "bad_cron"),
        ("61 * * * *", "bad_cron"),
        ("never on a sunday at all", "bad_cron"),
        ("whenever", "bad_moment"),
        ("2020-01-01T09:00", "past"),
        ("2099-01-01T09:00", "too_far"),
    ],
)
def test_what_never_comes_or_cannot_be_read_is_refused(text: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_timing(text, now_us=at("2026-11-21T09:00Z"), zone=MADRID)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("18:00", "2026-11-21T18:00+01:00"),
        ("2026-12-01T09:00:00Z", "2026-12-01T09:00+00:00"),
        ("2026-12-01T09:00", "2026-12-01T09:00+01:00"),
        ("2h", "2026-11-21T11:00+00:00"),
    ],
)
def test_a_time_that_comes_once_is_said_as_times_are_said_everywhere(text: str, when: str) -> None:
    timing = read_timing(text, now_us=at("2026-11-21T09:00Z"), zone=MADRID)
    assert timing.at == at(when)


def test_a_time_within_the_grace_is_on_time_and_one_after_it_was_missed() -> None:
    hourly, due = cron("0 * * * *"), at("2026-11-21T09:00Z")
    grace = int(GRACE_SECONDS) * SECOND
    assert turn(hourly, due, due + grace, catch_up=False).due == due
    late = turn(hourly, due, due + grace + 1, catch_up=False)
    assert (late.due, late.missed, late.next_at) == (None, 1, at("2026-11-21T10:00Z"))


def test_missed_times_are_made_up_for_by_one_command_at_most() -> None:
    hourly, due, now = cron("0 * * * *"), at("2026-11-21T09:00Z"), at("2026-11-21T12:30Z")
    assert turn(hourly, due, now, catch_up=False).due is None
    caught = turn(hourly, due, now, catch_up=True)
    assert (caught.due, caught.missed, caught.next_at) == (at("2026-11-21T12:00Z"), 4, at("2026-11-21T13:00Z"))


def test_a_year_of_missed_minutes_is_counted_up_to_a_bound() -> None:
    minutely, due, now = cron("* * * * *"), at("2026-01-01T00:00Z"), at("2026-12-31T12:00:30Z")
    served = turn(minutely, due, now, catch_up=False)
    assert (served.due, served.missed) == (at("2026-12-31T12:00Z"), MOST_COUNTED - 1)


@given(
    line=st.sampled_from(["*/5 * * * *", "30 2 * * *", "0 9 * * 1-5", "15,45 * * * *"]),
    catch_up=st.booleans(),
    begin=st.integers(at("2026-10-20T00:00Z"), at("2026-10-26T00:00Z")),
    steps=st.lists(st.integers(-3 * 3600, 12 * 3600), min_size=1, max_size=40),
)
@settings(deadline=None)
def test_however_the_clock_steps_every_time_is_fired_or_missed_once_and_in_order(
    line: str, catch_up: bool, begin: int, steps: list[int]
) -> None:
    timing = cron(line)
    now, next_at = begin, timing.after(begin)
    fired: list[int] = []
    missed = 0
    for step in steps:  # each step: the hub is away, or an administrator sets the clock, also back
        now += step * SECOND
        if next_at is None or next_at > now:
            continue
        came = turn(timing, next_at, now, catch_up=catch_up)
        assert came.next_at is not None and came.next_at > now
        if came.due is not None:
            assert next_at <= came.due <= now
            fired.append(came.due)
        made_up = came.due is not None and now - came.due > GRACE_SECONDS * SECOND
        missed += came.missed - made_up
        next_at = came.next_at
    assert fired == sorted(set(fired)), "each time at most once, in order"
    all_times, at_us = 0, begin
    while (found := timing.after(at_us)) is not None and found < (next_at or 0):
        all_times, at_us = all_times + 1, found
    assert len(fired) + missed == all_times, "none is lost between fired and missed"


def test_the_first_time_is_after_now_and_utc_is_utc() -> None:
    assert cron("0 9 * * *", "UTC").after(at("2026-11-21T09:00Z")) == at("2026-11-22T09:00Z")
    assert from_us(at("2026-11-21T09:00Z")) == datetime(2026, 11, 21, 9, tzinfo=UTC)
