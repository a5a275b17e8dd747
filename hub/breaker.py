"""When to try a channel again: full-jitter backoff for one copy, and a circuit breaker for the whole channel."""

from __future__ import annotations

from collections.abc import Callable

_FIRST_SECONDS = 1.0
_LONGEST_SECONDS = 600.0

_FAILURES = 5
_OPEN_SECONDS = 5.0
_LONGEST_OPEN_SECONDS = 300.0


def backoff(attempts: int, draw: Callable[[], float]) -> float:
    """Seconds until the next attempt after `attempts` failed ones: anywhere up to a bound that doubles."""
    bound = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2.0 ** min(attempts, 30))
    return draw() * bound


class Breaker:
    """Stops trying a channel that fails again and again, then lets one attempt through to see.

    Times are monotonic seconds. Every `admit` that says yes is followed by `succeeded`, `failed`, `throttled` or
    `given_up`.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._open_seconds = _OPEN_SECONDS
        self._closed_until = 0.0
        self._probing = False

    def works(self, now: float) -> bool:
        """Whether nothing speaks against trying it."""
        return self._failures < _FAILURES and now >= self._closed_until

    def admit(self, now: float) -> bool:
        """Whether an attempt may be made; when the channel is on trial, one at a time."""
        if now < self._closed_until or (self._probing and self._failures >= _FAILURES):
            return False
        self._probing = self._failures >= _FAILURES
        return True

    def succeeded(self) -> None:
        """The channel works."""
        self._failures = 0
        self._open_seconds = _OPEN_SECONDS
        self._probing = False

    def failed(self, now: float) -> None:
        """The channel failed; past the bound it is left alone for a while, each time for longer."""
        self._failures += 1
        self._probing = False
        if self._failures >= _FAILURES:
            self._closed_until = now + self._open_seconds
            self._open_seconds = min(_LONGEST_OPEN_SECONDS, self._open_seconds * 2)

    def throttled(self, now: float, seconds: float) -> None:
        """The channel works and asked to be left alone for `seconds`."""
        self._probing = False
        self._closed_until = max(self._closed_until, now + seconds)

    def given_up(self) -> None:
        """The attempt said nothing about the channel: what was sent was at fault."""
        self._probing = False
