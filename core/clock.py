"""Time: aware UTC outside, whole microseconds since 1970 in the store, seconds for durations."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from core.errors import Invalid

SECOND = 1_000_000
"""Microseconds in a second."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Where the time comes from."""

    def wall_us(self) -> int:
        """Microseconds since 1970 by the wall clock; may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def wall_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that a test moves; `jump` moves the wall alone, as an operator or NTP would."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._wall_us = to_us(start)
        self._monotonic = 1_000.0

    def wall_us(self) -> int:
        return self._wall_us

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._wall_us += int(seconds * SECOND)
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        self._wall_us += int(seconds * SECOND)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_us(us: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=us)


def rfc3339(us: int) -> str:
    """RFC 3339 in UTC with microseconds: `2026-01-01T00:00:00.000000Z`."""
    return from_us(us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_duration(text: str | int | float) -> float:
    """Seconds of `90s`, `15m`, `4h`, `2d`, `1h30m`, or a bare number of seconds.

    Raises Invalid (`bad_duration`) for anything else, and for zero or less.
    """
    if isinstance(text, bool):
        raise Invalid("bad_duration", "a duration is written like 90s, 15m, 4h or 2d")
    if isinstance(text, int | float) or (text.replace(".", "", 1).isascii() and text.replace(".", "", 1).isdigit()):
        seconds = float(text)
    elif _DURATION.fullmatch(text):
        seconds = sum(float(n) * _UNITS[u] for n, u in _PART.findall(text))
    else:
        raise Invalid("bad_duration", f"{text!r} is no duration; write it like 90s, 15m, 4h or 2d")
    if not 0 < seconds <= 3650 * 86_400:
        raise Invalid("bad_duration", f"{text!r} is no usable duration; it must be above zero and below ten years")
    return seconds


def show_duration(seconds: float) -> str:
    """A short human form: `45s`, `15m`, `4h`, `1h30m`, `2d`."""
    left = max(0, round(seconds))
    if left < 60:
        return f"{left}s"
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])
