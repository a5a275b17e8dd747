"""What people mean by friday, 18:00 and 2h, in their own zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import from_us, to_us
from core.errors import Invalid
from core.moments import parse_moment, show_moment, zone_of
from core.people.directory import Kind, Principal

MADRID = ZoneInfo("Europe/Madrid")
NOW = to_us(datetime(2026, 11, 25, 9, 30, tzinfo=UTC))  # a Wednesday, 10:30 in Madrid


def at(said: str, zone: ZoneInfo = MADRID, now: int = NOW) -> str:
    return from_us(parse_moment(said, now_us=now, zone=zone)).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("friday", "2026-11-27T23:00"),
        ("Fri", "2026-11-27T23:00"),
        ("wednesday", "2026-11-25T23:00"),
        ("tuesday", "2026-12-01T23:00"),
        ("today", "2026-11-25T23:00"),
        ("tomorrow", "2026-11-26T23:00"),
        ("2026-12-01", "2026-12-01T23:00"),
        ("18:00", "2026-11-25T17:00"),
        ("9:00", "2026-11-26T08:00"),
        ("24:00", "2026-11-25T23:00"),
        ("2026-12-01 18:00", "2026-12-01T17:00"),
        ("2026-12-01T18:00", "2026-12-01T17:00"),
        ("2026-12-01T18:00:00Z", "2026-12-01T18:00"),
        ("2026-12-01T18:00:00+05:00", "2026-12-01T13:00"),
        ("2h", "2026-11-25T11:30"),
        ("for 90m", "2026-11-25T11:00"),
        ("1h 30m", "2026-11-25T11:00"),
    ],
)
def test_it_means_what_people_mean_in_their_zone(said: str, means: str) -> None:
    assert at(said) == means


@pytest.mark.parametrize(
    "said", ["", "soon", "fridayish", "2026-13-01", "25:00", "7", "next week", "9999-12-31", "-2h"]
)
def test_what_is_no_moment_is_refused(said: str) -> None:
    with pytest.raises(Invalid, match="is no moment"):
        at(said)


def test_what_is_over_is_refused_with_when_it_was() -> None:
    with pytest.raises(Invalid, match="it was the end of Tue 2026-11-24") as refused:
        at("2026-11-24")
    assert refused.value.code == "past"


def test_the_end_of_a_day_moves_with_the_clocks() -> None:
    before = to_us(datetime(2026, 10, 24, 12, tzinfo=UTC))

    assert at("saturday", now=before) == "2026-10-24T22:00"  # summer time
    assert at("sunday", now=before) == "2026-10-25T23:00"  # the clocks went back that night
    assert at("24h", now=before) == "2026-10-25T12:00"


def test_a_time_that_the_clocks_skip_is_still_a_moment() -> None:
    assert at("2026-03-29 02:30", now=to_us(datetime(2026, 3, 1, tzinfo=UTC))) == "2026-03-29T01:30"


def test_the_answer_gives_the_absolute_time() -> None:
    friday = parse_moment("friday", now_us=NOW, zone=MADRID)
    assert show_moment(friday, MADRID) == "the end of Fri 2026-11-27 Europe/Madrid (Fri 2026-11-27 23:00 UTC)"
    assert show_moment(NOW, MADRID) == "Wed 2026-11-25 10:30 Europe/Madrid (09:30 UTC)"
    assert show_moment(NOW, ZoneInfo("UTC")) == "Wed 2026-11-25 09:30 UTC"


def test_a_person_without_a_zone_speaks_in_the_hubs() -> None:
    ana = Principal(id="ana", kind=Kind.PERSON, name="Ana", timezone="Asia/Tokyo")
    bo = Principal(id="bo", kind=Kind.PERSON, name="Bo")

    assert (zone_of(ana, "Europe/Madrid").key, zone_of(bo, "Europe/Madrid").key) == ("Asia/Tokyo", "Europe/Madrid")


@given(
    st.integers(0, 4 * 365 * 86_400),
    st.sampled_from(
        ["UTC", "Europe/Madrid", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe"]
    ),
    st.sampled_from(["monday", "sunday", "today", "tomorrow", "00:30", "02:30", "23:59", "1m"]),
)
def test_it_is_always_later_and_never_more_than_a_week_and_a_day_away(after: int, zone: str, said: str) -> None:
    now_us = NOW + after * 1_000_000
    away = parse_moment(said, now_us=now_us, zone=ZoneInfo(zone)) - now_us

    assert 0 < away <= 8 * 86_400 * 1_000_000
