"""Tickets: a way in for clients that can set neither a cookie nor a header on a WebSocket. One use, 30 seconds."""

from __future__ import annotations

import hashlib
import secrets

from core.clock import Clock
from core.errors import Unavailable
from hub.contracts import Caller

LIFE_SECONDS = 30.0
_MOST = 10_000


class Tickets:
    """Tickets that were given and not used; kept in memory by their hash, and gone with the process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._given: dict[bytes, tuple[float, Caller]] = {}

    def give(self, caller: Caller) -> str:
        """A ticket that lets `caller` in. Raises Unavailable when far too many are out."""
        now = self._clock.monotonic()
        while self._given and next(iter(self._given.values()))[0] <= now:  # in the order of their ends
            del self._given[next(iter(self._given))]
        if len(self._given) >= _MOST:
            raise Unavailable("too_many_tickets", "too many tickets are out; ask again shortly", retry_after_seconds=5)
        ticket = secrets.token_urlsafe(24)
        self._given[_hash(ticket)] = (now + LIFE_SECONDS, caller)
        return ticket

    def take(self, ticket: str) -> Caller | None:
        """Whom the ticket lets in, this once; None for an unknown, used or old one."""
        until, caller = self._given.pop(_hash(ticket), (0.0, None))
        return caller if until > self._clock.monotonic() else None


def _hash(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode(errors="replace")).digest()
