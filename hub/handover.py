"""Handing a granted lease to whoever waits for it in this process, by the news of the commit that granted it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from core.audit.log import Committed
from core.leases.acquiring import acquire
from core.leases.granted import granted
from core.leases.lease import Lease, Ticket
from core.leases.request import Acquire
from core.leases.terms import LEASE_LOCKS, LIMITS, LeaseLimits
from core.leases.waiting import poll
from core.store.database import Database
from core.store.tx import Tx

KEEP_SECONDS = 5.0
"""How often a waiter speaks for its place; it also finds a grant whose news was lost."""


class Handover:
    """Waiters by the lease that they wait for. All of it belongs to the event loop's thread."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: dict[str, asyncio.Future[Lease]] = {}

    def notice(self, entries: Iterable[Committed]) -> None:
        """Whoever waits here for a lease that these entries grant has it."""
        if not self._waiting:
            return
        for entry in entries:
            if entry.event == "lease:acquired" and (entry.subject or "") in self._waiting:
                future = self._waiting.pop(entry.subject or "")
                if not future.done():
                    future.set_result(granted(entry))

    async def take(self, request: Acquire, limits: LeaseLimits = LIMITS) -> Lease | Ticket:
        """The lease, once it is its turn; a ticket that waits no longer when its place is gone or was refused."""
        got = await self._db.write(self._acquire, request, limits, locks=LEASE_LOCKS)
        if isinstance(got, Lease) or got.state != "waiting":
            return got
        try:
            return await self._wait(got, request.principal)
        finally:
            self._waiting.pop(got.lock_id, None)

    def _acquire(self, tx: Tx, request: Acquire, limits: LeaseLimits) -> Lease | Ticket:
        got = acquire(tx, request, limits)
        if isinstance(got, Ticket) and got.state == "waiting":
            # The news of this commit comes before that of any later one, so no grant can pass unseen.
            tx.after_commit(lambda: self._expect(got.lock_id))
        return got

    def _expect(self, lock_id: str) -> asyncio.Future[Lease]:
        """What becomes of that lease from now on."""
        future = self._waiting.get(lock_id)
        if future is None or future.done():
            future = self._waiting[lock_id] = asyncio.get_running_loop().create_future()
        return future

    async def _wait(self, ticket: Ticket, principal: str) -> Lease | Ticket:
        future = self._waiting.get(ticket.lock_id)  # none when it was granted meanwhile
        while True:
            if future is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(KEEP_SECONDS):
                        return await future
            future = self._expect(ticket.lock_id)  # before asking: no grant after the answer is missed
            seen = await self._db.write(poll, principal, ticket.id, locks=LEASE_LOCKS, urgent=True)
            if seen.lease is not None or seen.state != "waiting":
                return seen.lease or seen
