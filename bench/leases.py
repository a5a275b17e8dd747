"""Leases through the writer, in process, on SQLite with synchronous=FULL.

Uncontended pairs, handoffs of one resource, the refusal of a long deadlock, and what a dead process held.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from pathlib import Path

from bench.latency import summary
from core.clock import SECOND, SystemClock
from core.leases.acquiring import acquire
from core.leases.ending import release
from core.leases.lease import Lease, Ticket
from core.leases.request import Acquire
from core.leases.terms import LEASE_LOCKS, LeaseLimits
from core.leases.ticking import next_deadline, tick
from core.store.database import Database
from core.store.migrate import migrate
from core.store.sqlite import SqliteEngine
from hub.handover import Handover

_LIMITS = LeaseLimits(leases=10_000, tickets=10_000, tickets_a_resource=10_000, queue=10_000)


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
    """One resource, everybody waiting for it: from a release to the next holder's having it, in order of asking."""
    with tempfile.TemporaryDirectory() as folder:
        async with _open(folder) as db:
            handover = Handover(db)
            db.on_committed = handover.notice
            asking = itertools.count()
            released_at = 0.0
            latencies: list[float] = []
            grants = [0] * waiters
            order: list[int] = []
            until = time.perf_counter() + seconds

            async def caller(number: int) -> None:
                nonlocal released_at
                wanted = Acquire(principal=f"p{number}", resources=("bench:one",), wait_seconds=60, ttl_seconds=60)
                while time.perf_counter() < until:
                    asked = next(asking)
                    lease = await handover.take(wanted, _LIMITS)
                    assert isinstance(lease, Lease)
                    if released_at:  # nobody else can have released since: this caller holds it
                        latencies.append(time.perf_counter() - released_at)
                    order.append(asked)
                    grants[number] += 1
                    released_at = time.perf_counter()
                    await db.write(
                        release, wanted.principal, lease.lock_id, lease.token, locks=LEASE_LOCKS, urgent=True
                    )

            begun = time.perf_counter()
            await asyncio.gather(*(caller(number) for number in range(waiters)))
            took = time.perf_counter() - begun
    overtakes = sum(later < earlier for earlier, later in itertools.pairwise(order))
    return {
        **summary(latencies, took, count=sum(grants)),
        "overtakes": overtakes,
        "max_over_min": max(grants) / max(1, min(grants)),
    }


async def deadlocks(hops: int, seconds: float) -> dict[str, float]:
    """The refusal of the request that closes a circle of so many holders."""
    with tempfile.TemporaryDirectory() as folder:
        async with _open(folder) as db:
            for number in range(hops):
                await _ask(db, f"bench:{number}", f"h{number}", 0)
            for number in range(hops - 1):
                await _ask(db, f"bench:{number + 1}", f"h{number}", 600)
            latencies: list[float] = []
            until = (begun := time.perf_counter()) + seconds
            while (sent := time.perf_counter()) < until:
                refused = await _ask(db, "bench:0", f"h{hops - 1}", 600)
                latencies.append(time.perf_counter() - sent)
                assert isinstance(refused, Ticket) and refused.state == "refused" and len(refused.cycle) == hops
            took = time.perf_counter() - begun
    return summary(latencies, took)


async def reclaims(leases: int) -> dict[str, float]:
    """What a dead process held: from the expiry of all to the last waiter's having it, and the longest transaction."""
    with tempfile.TemporaryDirectory() as folder:
        async with _open(folder) as db:
            last = 0
            for number in range(leases):
                lease = await _ask(db, f"bench:{number}", "dead", 0, ttl_seconds=10)
                assert isinstance(lease, Lease) and lease.expires_at
                last = lease.expires_at
            await asyncio.gather(*(_ask(db, f"bench:{number}", f"w{number}", 600) for number in range(leases)))
            batches: list[float] = []
            db.writer.on_batch = lambda functions, took: batches.append(took)
            await asyncio.sleep(max(0.0, (last - db.now_us()) / SECOND))
            while (due := await db.read(next_deadline)) is not None and due <= db.now_us():
                await db.write(tick, locks=LEASE_LOCKS, urgent=True)
            after = (db.now_us() - last) / 1000
    return {"after_expiry_ms": after, "longest_batch_ms": max(batches) * 1000, "batches": len(batches)}


async def _ask(
    db: Database, resource: str, holder: str, wait_seconds: float, ttl_seconds: float = 600
) -> Lease | Ticket:
    wanted = Acquire(
        principal="ana", resources=(resource,), holder=holder, wait_seconds=wait_seconds, ttl_seconds=ttl_seconds
    )
    return await db.write(acquire, wanted, _LIMITS, locks=LEASE_LOCKS)


def _open(folder: str) -> Database:
    path = Path(folder) / "hub.db"
    migrate(path)
    return Database(SqliteEngine(path, SystemClock()))
