"""Clocks that count only the hours in which people are expected to decide. Pure, and right across clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from core.clock import SECOND, from_us, to_us
from core.policy.policy import Hours

_MOST_DAYS = 800
"""How far a clock is followed; a deadline beyond that is where it stops."""


def after(start_us: int, seconds: float, hours: Hours | None) -> int:
    """When `seconds` of those hours have passed since `start_us`, in microseconds since 1970; of all hours for None."""
    left = seconds * SECOND
    if hours is None:
        return start_us + int(left)
    zone = ZoneInfo(hours.timezone)
    day = from_us(start_us).astimezone(zone).date()
    end = start_us
    for _ in range(_MOST_DAYS):
        if day.weekday() in hours.days:
            begin, end = (_at(day.isoformat(), minute, zone) for minute in (hours.begin_minute, hours.end_minute))
            begin = max(begin, start_us)
            if end - begin >= left > 0 or (left <= 0 and end >= begin):
                return int(begin + left)
            left -= max(0, end - begin)
        day += timedelta(days=1)
    return end


def within(at_us: int, hours: Hours | None) -> bool:
    """Whether that moment is in those hours."""
    return after(at_us, 0.0, hours) == at_us


def _at(day: str, minute: int, zone: ZoneInfo) -> int:
    """That minute of that local day, in microseconds since 1970; an hour that clocks skip counts as its end."""
    local = datetime.fromisoformat(day).replace(tzinfo=zone) + timedelta(minutes=minute)
    return to_us(local.astimezone(UTC))
