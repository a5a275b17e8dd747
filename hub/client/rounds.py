"""A thread that comes back to each lease whenever something of it is due."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hub.client.clock import now
from hub.client.lease import Lease

_LONGEST_SLEEP_SECONDS = 1.0
"""Sleeping threads do not notice that the machine slept; the clock of the deadlines does."""


class Rounds:
    """Calls `act` with the leases that are due by `due`, and with those that may be done along with them by `soon`.

    Its thread lives while there are leases.
    """

    def __init__(
        self,
        name: str,
        act: Callable[[list[Lease]], None],
        *,
        due: Callable[[Lease], float],
        soon: Callable[[Lease], float],
    ) -> None:
        self._name = name
        self._act = act
        self._due = due
        self._soon = soon
        self._leases: list[Lease] = []
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, lease: Lease) -> None:
        """The lease is looked after until it is over."""
        with self._change:
            self._leases.append(lease)
            if self._thread is None:
                self._thread = threading.Thread(target=self._go, name=self._name, daemon=True)
                self._thread.start()
            self._change.notify()

    def stop(self, timeout: float) -> bool:
        """No lease is looked after any more; whether the thread has ended within `timeout` seconds."""
        with self._change:
            thread = self._thread
            self._leases = []
            self._change.notify()
        if thread is None or thread is threading.current_thread():
            return thread is None
        thread.join(timeout)
        return not thread.is_alive()

    def _go(self) -> None:
        while ready := self._next():
            self._act(ready)

    def _next(self) -> list[Lease]:
        """Those that are due, once some are; none when no lease is left, and the thread ends."""
        with self._change:
            while True:
                self._leases = [lease for lease in self._leases if not lease.over]
                if not self._leases:
                    self._thread = None
                    return []
                wait = min(self._due(lease) for lease in self._leases) - now()
                if wait <= 0:
                    at = now()
                    return [lease for lease in self._leases if self._soon(lease) <= at]
                self._change.wait(min(wait, _LONGEST_SLEEP_SECONDS))
