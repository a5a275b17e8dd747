"""Leases through the writer, in process, on SQLite with synchronous=FULL: uncontended pairs, and handoffs of one resource."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from pathlib import Path

from bench.latency import summary
from core.clock import SystemClock
from core.leases.acquiring import acquire
from core.leases.ending import release
from core.leases.lease import Lease, Ticket
from core.leases.request import Acquire
from core.leases.terms import LEASE_LOCKS, LeaseLimits
from core.leases.waiting import poll
from core.store.database import Database
from core.store.migrate import migrate
from core.store.sqlite import SqliteEngine

_LIMITS = LeaseLimits(leases=10_000, tickets=10_000, tickets_a_resource=10_000)


async def pairs(callers: int, seconds: float) -> dict[str, float]:
    """Acquire and release, each caller on a resource of its own."""
    with tempfile.TemporaryDirectory() as folder:
        async with _open(folder) as db:
            latencies: list[float] = []
            until = time.perf_counter() + seconds

            async def caller(number: int) -> None:
                wanted = Acquire(principal="ana", resources=(f"bench:{number}",))
                while (begun := time.perf_counter()) < until:
                    lease = await db.write(acquire, wanted, _LIMITS, locks=LEASE_LOCKS)
                    assert isinstance(lease, Lease)
                    await db.write(release, "ana", lease.lock_id, lease.token, locks=LEASE_LOCKS, urgent=True)
                    latencies.append(time.perf_counter() - begun)

            begun = time.perf_counter()
            await asyncio.gather(*(caller(number) for number in range(callers)))
            took = time.perf_counter() - begun
    return summary(latencies, took)


async def handoffs(waiters: int, seconds: float) -> dict[str, float]:
    """One resource, everybody waiting for it: from the release to the next holder's knowing, fairness, overtakes."""
    with tempfile.TemporaryDirectory() as folder:
        async with _open(folder) as db:
            waiting: dict[str, asyncio.Event] = {}
            released_at = 0.0
            latencies: list[float] = []
            grants = [0] * waiters
            tokens: list[int] = []
            until = time.perf_counter() + seconds
            db.on_committed = lambda entries: [
                waiting[each.subject].set()
                for each in entries
                if each.event == "lease:acquired" and each.subject in waiting
            ]

            async def caller(number: int) -> None:
                nonlocal released_at
                wanted = Acquire(principal="ana", resources=("bench:one",), wait_seconds=60, ttl_seconds=60)
                while time.perf_counter() < until:
                    got = await db.write(acquire, wanted, _LIMITS, locks=LEASE_LOCKS)
                    if isinstance(got, Ticket):
                        event = waiting.setdefault(got.lock_id, asyncio.Event())
                        while got.lease is None:
                            await event.wait()
                            event.clear()
                            if released_at:
                                latencies.append(time.perf_counter() - released_at)
                            got = await db.write(poll, "ana", got.id, locks=LEASE_LOCKS, urgent=True)
                        waiting.pop(got.lock_id)
                        lease = got.lease
                    else:
                        lease = got
                    grants[number] += 1
                    tokens.append(lease.token)
                    released_at = time.perf_counter()
                    await db.write(release, "ana", lease.lock_id, lease.token, locks=LEASE_LOCKS, urgent=True)

            begun = time.perf_counter()
            await asyncio.gather(*(caller(number) for number in range(waiters)))
            took = time.perf_counter() - begun
    overtakes = sum(later < earlier for earlier, later in itertools.pairwise(tokens))
    return {
        **summary(latencies, took, count=sum(grants)),
        "overtakes": overtakes,
        "max_over_min": max(grants) / max(1, min(grants)),
    }


def _open(folder: str) -> Database:
    path = Path(folder) / "hub.db"
    migrate(path)
    return Database(SqliteEngine(path, SystemClock()))
