"""Many callers at once, by the real clock: one holder, in order of arrival, through stalls of the writer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.audit.log import Committed
from core.clock import SystemClock
from core.leases.acquiring import acquire
from core.leases.ending import release
from core.leases.lease import Lease, Ticket
from core.leases.renewing import heartbeat
from core.leases.request import Acquire
from core.leases.terms import LEASE_LOCKS, LeaseLimits
from core.leases.ticking import forgive, tick
from core.leases.waiting import poll
from core.store.database import Database
from core.store.engine import Engine
from core.store.sqlite import SqliteEngine
from core.testing.faults import Faults

CALLERS = 12
GRANTS = 15
LIMITS = LeaseLimits(tickets_a_resource=CALLERS)


class Callers:
    """Callers who take turns on one resource, and what they saw."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.granted: dict[str, asyncio.Event] = {}
        self.holding = 0
        self.tokens: list[int] = []
        self.log: list[tuple[str, str]] = []
        database.on_committed = self.hear

    def hear(self, entries: list[Committed]) -> None:
        for entry in entries:
            subject = entry.subject or ""
            self.log.append((entry.event, subject))
            if entry.event == "lease:acquired" and subject in self.granted:
                self.granted[subject].set()

    async def take_turns(self, who: str) -> None:
        wanted = Acquire(principal=who, resources=("env:a",), wait_seconds=60, ttl_seconds=60)
        for _ in range(GRANTS):
            lease = await self.lease(who, await self.database.write(acquire, wanted, LIMITS, locks=LEASE_LOCKS))
            self.holding += 1
            assert self.holding == 1
            self.tokens.append(lease.token)
            await asyncio.sleep(0)
            self.holding -= 1
            await self.database.write(release, who, lease.lock_id, lease.token, locks=LEASE_LOCKS, urgent=True)

    async def lease(self, who: str, got: Lease | Ticket) -> Lease:
        if isinstance(got, Lease):
            return got
        event = self.granted.setdefault(got.lock_id, asyncio.Event())
        while True:
            event.clear()
            got = await self.database.write(poll, who, got.id, locks=LEASE_LOCKS, urgent=True)
            if got.lease is not None:
                return got.lease
            async with asyncio.timeout(10):
                await event.wait()


@pytest.mark.anyio
async def test_callers_take_turns_in_the_order_of_their_arrival(any_engine: Callable[[], Engine]) -> None:
    async with Database(any_engine()) as database:
        callers = Callers(database)
        await asyncio.gather(*(callers.take_turns(f"p{n}") for n in range(CALLERS)))
    assert len(callers.tokens) == CALLERS * GRANTS
    assert callers.tokens == sorted(set(callers.tokens))
    queued = [subject for event, subject in callers.log if event == "lease:queued"]
    granted = [subject for event, subject in callers.log if event == "lease:acquired"]
    assert [subject for subject in granted if subject in set(queued)] == queued


def test_a_stall_of_the_writer_costs_nobody_a_lease_that_lived_when_it_began(sqlite_path: Path) -> None:
    faults, engine = Faults.around(SqliteEngine(sqlite_path, SystemClock()))
    database = Database(engine)
    database.writer.on_stall = forgive
    database.open()
    try:
        lease = database.write_now(acquire, Acquire(principal="ana", resources=("env:a",), ttl_seconds=1))
        assert isinstance(lease, Lease)
        faults.once("commit", lambda: time.sleep(1.5))
        database.write_now(lambda tx: tx.record("hub:started", actor=None))
        database.write_now(tick)
        assert database.write_now(heartbeat, "ana", lease.lock_id, lease.token).state == "held"
    finally:
        database.close()
