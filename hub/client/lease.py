"""One lease as its holder knows it: what was granted, and until when it may be relied on.

The deadline is local: the time before the request was sent, plus what the hub granted, less a tenth of the ttl.
Nothing that the clocks of two machines disagree about comes into it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from hub.client.clock import now
from hub.client.errors import LeaseLost

MARGIN = 0.1
"""The part of the ttl that is given up for what clocks and networks do."""


def deadline_of(lease: Mapping[str, Any], sent: float) -> float:
    """Until when a lease may be relied on that was granted or renewed after `sent`."""
    granted = datetime.fromisoformat(lease["expires_at"]) - datetime.fromisoformat(lease["heartbeat_at"])
    return sent + granted.total_seconds() - MARGIN * float(lease["ttl_seconds"])


class Lease:
    """A granted lease. Safe to use from several threads."""

    def __init__(self, lease: Mapping[str, Any], deadline: float) -> None:
        self.raw = lease
        """The Lease of the HTTP API, as it was answered last."""
        self.lock_id = str(lease["lock_id"])
        self.token = int(lease["token"])
        """The fencing token: send it with every write, and let what is written to refuse a lower one."""
        self.ttl_seconds = float(lease["ttl_seconds"])
        self.resources: tuple[str, ...] = tuple(lease["resources"])
        self.lost = threading.Event()
        """Set once it is lost."""
        self._guard = threading.Lock()
        self._deadline = deadline
        self._next_beat = now() + self.ttl_seconds / 3
        self._why: str | None = None
        self._over = False
        self._told: list[Callable[[], None]] = []

    @property
    def environ(self) -> dict[str, str]:
        """What a command that runs under the lease finds in its environment."""
        return {"INTERLOCK_FENCE": str(self.token), "INTERLOCK_LEASE": self.lock_id}

    @property
    def remaining(self) -> float:
        """Seconds for which it may be relied on without another heartbeat; 0 once it is lost or given back."""
        with self._guard:
            return 0.0 if self._why is not None or self._over else max(0.0, self._deadline - now())

    def check(self) -> None:
        """Nothing, while it is held. Raises LeaseLost. Call it before each step that cannot be undone."""
        if self.why is not None:
            raise self.error()

    @property
    def why(self) -> str | None:
        """Why it is lost; None while it is held, or was given back in time."""
        self.judge()
        with self._guard:
            return self._why

    @property
    def over(self) -> bool:
        """Whether it is lost or given back: nothing more is to be done about it."""
        with self._guard:
            return self._over or self._why is not None

    @property
    def deadline(self) -> float:
        """Until when it may be relied on, by `clock.now`."""
        with self._guard:
            return self._deadline

    @property
    def next_beat(self) -> float:
        """When the next heartbeat is due, by `clock.now`."""
        with self._guard:
            return self._next_beat

    def when_lost(self, tell: Callable[[], None]) -> None:
        """`tell` is called once, on some thread, when the lease is lost; at once when it is lost already."""
        with self._guard:
            if self._why is None:
                self._told.append(tell)
                return
        tell()

    def renewed(self, lease: Mapping[str, Any], sent: float) -> None:
        """The hub renewed it, asked at `sent`. A deadline never moves nearer, and a lost lease stays lost."""
        with self._guard:
            if self._why is None and now() < self._deadline:
                self.raw = lease
                self.ttl_seconds = float(lease["ttl_seconds"])
                self._deadline = max(self._deadline, deadline_of(lease, sent))
                self._next_beat = sent + self.ttl_seconds / 3

    def put_off(self, seconds: float) -> None:
        """The next heartbeat is due in `seconds`."""
        with self._guard:
            self._next_beat = now() + seconds

    def lose(self, why: str) -> None:
        """It is lost, and whoever asked to be told is told; nothing when it was lost or given back before."""
        with self._guard:
            if self._why is not None or self._over:
                return
            self._why = why
            told, self._told = self._told, []
        self.lost.set()
        for tell in told:
            tell()

    def judge(self) -> None:
        """It is lost if its deadline has passed."""
        with self._guard:
            late = not self._over and self._why is None and now() >= self._deadline
        if late:
            self.lose("the hub did not renew it in time")

    def finish(self) -> None:
        """It is being given back: no heartbeat is sent and nobody is told anything any more."""
        self.judge()
        with self._guard:
            self._over = True
            self._told.clear()

    def error(self) -> LeaseLost:
        """What to raise for a lost lease."""
        said = self.why or "it ended"
        return LeaseLost("lease_lost", f"the lease {self.lock_id} on {', '.join(self.resources)} is lost: {said}")
