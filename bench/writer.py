"""Audited durable transactions through the writer, in process, on SQLite with synchronous=FULL.

One transaction is one function: a once-key, a lease resource and a press row inserted, and two log entries, one of
them with a private field.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import tempfile
import time
from pathlib import Path

from sqlalchemy import insert

from bench.latency import summary
from core.clock import SystemClock
from core.once import Once, keep
from core.store import schema
from core.store.database import Database
from core.store.migrate import migrate
from core.store.sqlite import SqliteEngine
from core.store.statement import Statement
from core.store.tx import Tx

_RESOURCE = Statement(insert(schema.lease_resource), tuple(column.name for column in schema.lease_resource.columns))
_PRESS = Statement(insert(schema.press), ("hash", "approval", "revision", "digest", "choice", "delivery", "expires_at"))
_numbers = itertools.count(1)


def transaction(tx: Tx, number: int, audited: bool) -> int:
    """Three inserts and two entries."""
    key = hashlib.sha256(number.to_bytes(8, "big")).digest()
    keep(tx, Once(scope="bench", sender="ana", key=key.hex(), body_hash=key), '{"ok":true}')
    tx.run(_RESOURCE, resource="env:prod", waiting=0, rank_class=100, arrival=number, lease=number, leaf=1, shared=0)
    tx.run(
        _PRESS, hash=key, approval=number, revision=1, digest="d", choice="approve", delivery=None, expires_at=tx.now_us
    )
    if audited:
        tx.record(
            "approval:requested",
            actor="ana",
            subject=f"A{number}",
            channel="bench",
            details={"state": "SUBMITTED", "policy": "prod"},
            private={"params": {"service": "web", "version": "1.2.3", "env": "prod"}},
        )
        tx.record("command:received", actor="ana", subject=f"A{number}", channel="bench", details={"verb": "request"})
    return number


async def measure(callers: int, seconds: float, *, audited: bool = True) -> dict[str, float]:
    """Transactions per second and latencies in milliseconds with so many callers that each wait for their answer."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hub.db"
        migrate(path)
        async with Database(SqliteEngine(path, SystemClock())) as db:
            latencies: list[float] = []
            until = time.perf_counter() + seconds

            async def caller() -> None:
                while (begun := time.perf_counter()) < until:
                    await db.write(transaction, next(_numbers), audited)
                    latencies.append(time.perf_counter() - begun)

            begun = time.perf_counter()
            await asyncio.gather(*(caller() for _ in range(callers)))
            took = time.perf_counter() - begun
    return summary(latencies, took)
