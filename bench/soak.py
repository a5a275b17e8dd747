"""`python -m bench.soak --seconds 600`: leases asked for at random for a while, and the log's whole history checked."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from core.audit.log import Committed
from core.clock import SystemClock
from core.errors import Refusal
from core.leases.acquiring import acquire
from core.leases.ending import break_, release
from core.leases.history import History
from core.leases.lease import Lease, Ticket
from core.leases.renewing import heartbeat
from core.leases.replacing import convert, transfer
from core.leases.request import Acquire
from core.leases.terms import LEASE_LOCKS, PLAIN, RUN
from core.leases.ticking import forgive, next_deadline, tick
from core.leases.waiting import cancel, poll
from core.store.database import Database
from core.store.migrate import migrate
from core.store.sqlite import SqliteEngine

RESOURCES = ("r:a", "r:a/x", "r:a/x/1", "r:a/y", "r:b", "q:c", "q:d")
CALLERS = 24


class Soak:
    """Callers that do what anybody might, and the checker that hears every commit."""

    def __init__(self, db: Database, until: float) -> None:
        self._db = db
        self._until = until
        self.history = History()
        self.events: Counter[str] = Counter()
        db.on_committed = self._hear
        db.writer.on_stall = forgive

    def _hear(self, entries: list[Committed]) -> None:
        for entry in entries:
            self.events[entry.event] += 1
            self.history.add(entry)

    async def run(self) -> None:
        """Everybody at once, with a tick whenever something lapsed."""
        ticking = asyncio.create_task(self._tick())
        await asyncio.gather(
            *(self._call(f"p{number % 5}", f"h{number}", random.Random(number)) for number in range(CALLERS))
        )
        ticking.cancel()

    async def _tick(self) -> None:
        while True:
            due = await self._db.read(next_deadline)
            if due is not None and due <= self._db.now_us():
                await self._db.write(tick, locks=LEASE_LOCKS, urgent=True)
            await asyncio.sleep(0.01)

    async def _call(self, who: str, holder: str, chance: random.Random) -> None:
        while time.monotonic() < self._until:
            wanted = Acquire(
                principal=who,
                resources=tuple(chance.sample(RESOURCES, chance.choice((1, 1, 2, 3)))),
                mode=chance.choice(("exclusive", "exclusive", "shared")),
                ttl_seconds=chance.choice((1.0, 2.0)),
                wait_seconds=chance.choice((0.0, 0.5, 3.0)),
                lock_delay_seconds=chance.choice((0.0, 0.0, 0.0, 0.3)),
                rank_class=chance.choice((PLAIN, PLAIN, PLAIN - 3, RUN)),
                holder=chance.choice((None, holder, holder)),
            )
            with suppress(Refusal):
                await self._hold(who, await self._db.write(acquire, wanted, locks=LEASE_LOCKS), chance)

    async def _hold(self, who: str, got: Lease | Ticket, chance: random.Random) -> None:
        while isinstance(got, Ticket) and got.state == "waiting":
            if chance.random() < 0.05:
                await self._db.write(cancel, who, got.id, locks=LEASE_LOCKS)
                return
            await asyncio.sleep(chance.random() * 0.1)
            got = await self._db.write(poll, who, got.id, locks=LEASE_LOCKS)
        lease = got if isinstance(got, Lease) else got.lease
        if lease is not None:
            await self._use(who, lease, chance)

    async def _use(self, who: str, lease: Lease, chance: random.Random) -> None:
        await asyncio.sleep(chance.random() * 0.02)
        mine = (who, lease.lock_id, lease.token)
        match chance.randrange(20):
            case 0:
                return  # it dies with what it holds
            case 1:
                await self._db.write(break_, "dee", lease.lock_id, "soak", locks=LEASE_LOCKS)
            case 2:
                other = chance.choice(("p0", "p1"))
                given = await self._db.write(
                    lambda tx: transfer(tx, who, lease.lock_id, other, token=lease.token), locks=LEASE_LOCKS
                )
                await self._db.write(release, other, given.lock_id, given.token, locks=LEASE_LOCKS)
            case 3 | 4 | 5:
                mode = "shared" if lease.mode == "exclusive" else "exclusive"
                turned = await self._db.write(lambda tx: convert(tx, *mine, mode, wait_seconds=1.0), locks=LEASE_LOCKS)
                await self._hold(who, turned, chance)
            case _:
                await self._db.write(heartbeat, *mine, locks=LEASE_LOCKS)
                await self._db.write(release, *mine, locks=LEASE_LOCKS)


async def soak(seconds: float) -> Soak:
    """A run of that length over a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hub.db"
        migrate(path)
        async with Database(SqliteEngine(path, SystemClock())) as db:
            run = Soak(db, time.monotonic() + seconds)
            await run.run()
    return run


def main() -> None:
    """Exit 1 when the history holds what cannot be."""
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    run = asyncio.run(soak(parser.parse_args().seconds))
    print(f"{run.history.entries:,} entries, {run.history.grants:,} grants, {len(run.history.findings)} findings")
    print("  ".join(f"{name} {count:,}" for name, count in sorted(run.events.items())))
    for finding in run.history.findings[:20]:
        print(f"{finding.seq}: {finding.code}: {finding.text}")
    sys.exit(1 if run.history.findings else 0)


if __name__ == "__main__":
    main()
