"""When a schedule comes due: at every time of a cron line, or once. Pure.

A cron line is read in a time zone as Debian's cron reads it: a time that the clocks skip comes right after the gap, one
that they repeat comes once, and lines that run every hour or more often follow the hours that really pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from core.clock import SECOND, from_us, to_us
from core.errors import Invalid
from core.moments import parse_moment

GRACE_SECONDS = 60.0
"""A time that is served later than this was missed."""
MOST_COUNTED = 1_000
"""Missed times are counted up to here."""
FARTHEST_SECONDS = 366 * 86_400.0
"""How far away a time may be that comes once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Either `cron`, read in `timezone`, or `at`, in microseconds since 1970."""

    timezone: str
    cron: str | None = None
    at: int | None = None

    def after(self, us: int) -> int | None:
        """The first time later than `us`; None when there is none."""
        if self.cron is None:
            return self.at if self.at is not None and self.at > us else None
        return next(self._times(us), None)

    def _times(self, us: int) -> Iterator[int]:
        """Every time of the cron line after `us`, each later than the one before.

        Asked in the hour that the clocks repeat, the library may begin with the earlier of two equal local times.
        """
        for each in CronSim(self.cron or "", from_us(us).astimezone(ZoneInfo(self.timezone))):
            found = to_us(each)
            if found > us:
                yield found
                us = found

    def passed(self, first: int, now: int) -> tuple[int, int]:
        """How many times from `first`, which is one, to `now` there were (at most MOST_COUNTED), and the last of them."""
        if self.cron is None:
            return 1, first
        times = [first]
        for each in islice(self._times(first), MOST_COUNTED - 1):
            if each > now:
                return len(times), times[-1]
            times.append(each)
        recent = CronSim(
            self.cron, from_us(now).astimezone(ZoneInfo(self.timezone)) + timedelta(seconds=1), reverse=True
        )
        return len(times), next((us for each in recent if (us := to_us(each)) <= now), times[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What comes of a schedule that is due."""

    due: int | None
    """The time for which its command is given; None when it is not given."""
    missed: int
    """Times that passed unserved, `due` not among them unless it is late."""
    next_at: int | None


def turn(timing: Timing, next_at: int, now: int, *, catch_up: bool) -> Turn:
    """What comes of a schedule whose time `next_at` is not later than `now`.

    A time that is served within the grace is on time. Of those that were missed nothing is made up for, or, with
    `catch_up`, all of them by one command.
    """
    count, last = timing.passed(next_at, now)
    late = now - last > GRACE_SECONDS * SECOND
    missed = count if late else count - 1
    return Turn(due=last if catch_up or not late else None, missed=missed, next_at=timing.after(now))


def read_timing(text: str, *, now_us: int, zone: ZoneInfo) -> Timing:
    """The timing that `text` says: a cron line of five fields, an RFC 3339 time, or a moment in words.

    Raises Invalid: `bad_cron` (also for a line that never comes), `bad_moment`, `past`, `too_far`.
    """
    if len(text.split()) < 4:
        at = parse_moment(text, now_us=now_us, zone=zone)
        if at - now_us > FARTHEST_SECONDS * SECOND:
            raise Invalid("too_far", f"{text[:40]} is more than a year away; schedule it nearer to the time")
        return Timing(timezone=zone.key, at=at)
    return _cron(" ".join(text.split()), now_us, zone)


def _cron(line: str, now_us: int, zone: ZoneInfo) -> Timing:
    if len(line.split()) != 5:
        raise Invalid("bad_cron", f"{line[:60]!r} has not five fields: minute hour day month weekday, like 0 9 * * 1-5")
    timing = Timing(timezone=zone.key, cron=line)
    try:
        why = "it never comes" if timing.after(now_us) is None else None
    except CronSimError as error:
        why = f"it cannot be read, or never comes ({error})"
    if why is not None:
        raise Invalid("bad_cron", f"{line[:60]!r}: {why}; write minute hour day month weekday, like 0 9 * * 1-5")
    return timing
