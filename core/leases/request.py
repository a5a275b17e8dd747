"""One request for a lease, checked before it comes near a transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from core.clock import SECOND
from core.errors import Invalid
from core.leases.resource import check_all
from core.leases.terms import (
    MAX_HOLD_SECONDS,
    MAX_LOCK_DELAY_SECONDS,
    MAX_TTL_SECONDS,
    MAX_WAIT_SECONDS,
    MIN_TTL_SECONDS,
    PLAIN,
    RUN,
)
from core.text import refuse_invisible

Mode = Literal["exclusive", "shared"]
LeaseKind = Literal["lease", "lock", "run"]

MAX_PURPOSE = 500
MAX_NAME = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquire:
    """What somebody wants: all of `resources` or none. Raises Invalid when it is no possible request.

    `holder` names who will hold it within `principal`: only a request that names one can be part of a deadlock.
    `request_key` makes a repeated request answer with what became of the first. A `lock` lives for its ttl
    without heartbeats. The class of a `run` is RUN; a plain request's comes from `class_of`. `lock_delay_seconds` is
    how long nobody gets the resources after the lease lapsed, where what they stand for cannot check tokens.
    """

    principal: str
    resources: tuple[str, ...]
    mode: Mode = "exclusive"
    ttl_seconds: float = 30.0
    wait_seconds: float = 0.0
    max_hold_seconds: float = MAX_HOLD_SECONDS
    lock_delay_seconds: float = 0.0
    rank_class: int = PLAIN
    purpose: str | None = None
    holder: str | None = None
    session: str | None = None
    request_key: str | None = None
    channel: str | None = None
    approval: int | None = None
    kind: LeaseKind = "lease"

    def __post_init__(self) -> None:
        object.__setattr__(self, "resources", check_all(self.resources))
        if self.mode not in get_args(Mode):
            raise Invalid("bad_mode", f"the mode {self.mode!r} is unknown; it is exclusive or shared")
        if not MIN_TTL_SECONDS <= self.ttl_seconds <= MAX_TTL_SECONDS:
            raise Invalid("bad_ttl", f"a ttl is between 1 second and 24 hours, not {self.ttl_seconds:g} seconds")
        if not 0 <= self.wait_seconds <= MAX_WAIT_SECONDS:
            raise Invalid("bad_wait", f"a wait is between 0 and 30 days, not {self.wait_seconds:g} seconds")
        if not 0 < self.max_hold_seconds <= MAX_WAIT_SECONDS:
            raise Invalid("bad_max_hold", "the longest hold is above 0 and at most 30 days")
        if not 0 <= self.lock_delay_seconds <= MAX_LOCK_DELAY_SECONDS:
            raise Invalid("bad_lock_delay", f"a lock delay is between 0 and {MAX_LOCK_DELAY_SECONDS:g} seconds")
        if not RUN <= self.rank_class <= PLAIN:
            raise Invalid("bad_priority", f"the class {self.rank_class} is not between {RUN} and {PLAIN}")
        _check_text("purpose", self.purpose, MAX_PURPOSE)
        for what in ("holder", "session", "request_key"):
            _check_text(what, getattr(self, what), MAX_NAME)

    @property
    def ttl_us(self) -> int:
        """The ttl in microseconds."""
        return round(self.ttl_seconds * SECOND)

    @property
    def wait_us(self) -> int:
        """How long it waits at most, in microseconds."""
        return round(self.wait_seconds * SECOND)

    @property
    def lock_delay_us(self) -> int:
        """How long its resources stay closed after it lapsed, in microseconds."""
        return round(self.lock_delay_seconds * SECOND)

    @property
    def max_hold_us(self) -> int:
        """How long it can be held at most, in microseconds; never less than the ttl."""
        return max(round(self.max_hold_seconds * SECOND), self.ttl_us)


def _check_text(what: str, text: str | None, longest: int) -> None:
    if text is None:
        return
    if not text or len(text) > longest:
        raise Invalid("bad_text", f"a {what.replace('_', ' ')} has 1 to {longest} characters")
    refuse_invisible(text)
