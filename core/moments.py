"""Moments as people say them: `friday`, `tomorrow`, `2026-12-01`, `18:00`, `2h`, in the speaker's zone. Pure.

A day alone means its end; a weekday is the next of that name, today included; a time of day is the next one. What is
said is answered with the absolute time (`show_moment`), so that nobody has to trust this reading.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.clock import SECOND, from_us, parse_duration, to_us
from core.errors import Invalid
from core.people.directory import Principal

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"(?:[01]?\d|2[0-3]):[0-5]\d|24:00")
_BOTH = re.compile(r"(\d{4}-\d{2}-\d{2})[t ]((?:[01]?\d|2[0-3]):[0-5]\d|24:00)")
_FORMS = "friday, tomorrow, 18:00, 2026-12-01, 2026-12-01T18:00 or 2h"


def zone_of(principal: Principal, default: str) -> ZoneInfo:
    """The zone in which `principal` says times: their own, or `default`, the hub's."""
    return ZoneInfo(principal.timezone or default)


def parse_moment(text: str, *, now_us: int, zone: ZoneInfo) -> int:
    """Microseconds since 1970 of the moment that `text` names, always later than `now_us`.

    Raises Invalid: `bad_moment` for what is no moment, `past` for one that is over.
    """
    said = " ".join(text.strip().lower().split())
    now = from_us(now_us).astimezone(zone)
    try:
        moment = _read(said, now, zone)
    except (ValueError, OverflowError):
        raise Invalid("bad_moment", f"{text[:40]!r} is no moment; say {_FORMS}") from None
    us = to_us(moment.astimezone(UTC))
    if us <= now_us:
        raise Invalid("past", f"{text[:40]} is over: it was {show_moment(us, zone)}")
    return us


def show_moment(us: int, zone: ZoneInfo) -> str:
    """`Fri 2026-11-27 18:00 Europe/Madrid (17:00 UTC)`; a midnight is the end of the day before, as people mean it."""
    local = from_us(us).astimezone(zone)
    if local.time() == time():
        shown = f"the end of {(local.date() - timedelta(days=1)).strftime('%a %Y-%m-%d')}"
    else:
        shown = local.strftime("%a %Y-%m-%d %H:%M")
    if zone.key == "UTC":
        return f"{shown} UTC"
    utc = from_us(us)
    there = utc.strftime("%H:%M" if utc.date() == local.date() else "%a %Y-%m-%d %H:%M")
    return f"{shown} {zone.key} ({there} UTC)"


def _read(said: str, now: datetime, zone: ZoneInfo) -> datetime:
    day = _day(said, now.date())
    if day is not None:
        return _end_of(day, zone)
    if _TIME.fullmatch(said):
        today = _at(now.date(), said, zone)
        return today if today > now else _at(now.date() + timedelta(days=1), said, zone)
    if (both := _BOTH.fullmatch(said)) is not None:
        return _at(date.fromisoformat(both[1]), both[2], zone)
    if said[:4].isdigit() and said[4:5] == "-":
        exact = datetime.fromisoformat(said.upper())
        return exact if exact.tzinfo is not None else exact.replace(tzinfo=zone)
    if said.isdigit():
        raise ValueError(said)  # a bare number could be an hour, a day or seconds
    try:
        seconds = parse_duration(said.removeprefix("for ").replace(" ", ""))
    except Invalid as refusal:
        raise ValueError(said) from refusal
    return now.astimezone(UTC) + timedelta(microseconds=int(seconds * SECOND))


def _day(said: str, today: date) -> date | None:
    """The day that is said, or None."""
    if said in ("today", "tonight"):
        return today
    if said == "tomorrow":
        return today + timedelta(days=1)
    if _DATE.fullmatch(said):
        return date.fromisoformat(said)
    for number, name in enumerate(_DAYS):
        if said in (name, name[:3]):
            return today + timedelta(days=(number - today.weekday()) % 7)
    return None


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), zone)


def _at(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """That time of that day; one that the clocks skip is the same distance after the last midnight hour that exists."""
    if clock == "24:00":
        return _end_of(day, zone)
    hour, _, minute = clock.partition(":")
    return datetime.combine(day, time(int(hour), int(minute)), zone)
