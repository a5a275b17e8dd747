"""Two nodes over one PostgreSQL database, and forced interleavings of what they write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import psycopg

from core.clock import SystemClock
from core.store.database import Database
from core.store.postgres import PostgresEngine
from core.store.tx import Tx

PATIENCE = 20.0
_WAITERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@contextmanager
def nodes(dsn: str, count: int = 2) -> Iterator[list[Database]]:
    """So many databases, open over the same one."""
    found = [Database(PostgresEngine(dsn)) for _ in range(count)]
    for node in found:
        node.open()
    try:
        yield found
    finally:
        for node in found:
            node.close()


def overlapping(
    dsn: str,
    first: Database,
    one: Callable[[Tx], Any],
    second: Database,
    other: Callable[[Tx], Any],
    *,
    locks: tuple[str, ...],
) -> tuple[Any, Any]:
    """What both came to, each an answer or the error; `other` was begun before `one` was committed, and had to wait."""
    done, go_on = Event(), Event()

    def slowly(tx: Tx) -> Any:
        result = one(tx)
        done.set()
        assert go_on.wait(PATIENCE)
        return result

    with ThreadPoolExecutor(2) as threads:
        begun = threads.submit(first.write_now, slowly, locks=locks)
        try:
            assert done.wait(PATIENCE)
            waiting = threads.submit(second.write_now, other, locks=locks)
            _until_one_waits(dsn)
        finally:
            go_on.set()
        return _end_of(begun), _end_of(waiting)


def _until_one_waits(dsn: str) -> None:
    deadline = SystemClock().monotonic() + PATIENCE
    with psycopg.connect(dsn, autocommit=True) as db:
        while SystemClock().monotonic() < deadline:
            row = db.execute(_WAITERS).fetchone()
            if row is not None and row[0]:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits for a lock")


def _end_of(work: Future[Any]) -> Any:
    error = work.exception(PATIENCE)
    return work.result() if error is None else error
