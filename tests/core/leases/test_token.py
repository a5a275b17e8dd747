"""Fencing tokens grow: through restarts, broken and backward clocks, and epochs."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.clock import ManualClock
from core.leases.acquiring import acquire
from core.leases.ending import release
from core.leases.lease import Lease
from core.leases.request import Acquire
from core.leases.terms import BELIEVABLE_US, LEASE_LOCKS, next_token
from core.store.database import Database
from core.store.sqlite import SqliteEngine


def one_token(path: Path, clock: ManualClock) -> int:
    """The token of a grant in a process of its own."""
    database = Database(SqliteEngine(path, clock))
    database.open()
    try:
        lease = database.write_now(acquire, Acquire(principal="ana", resources=("env:a",)), locks=LEASE_LOCKS)
        assert isinstance(lease, Lease)
        database.write_now(release, "ana", lease.lock_id, lease.token, locks=LEASE_LOCKS)
        return lease.token
    finally:
        database.close()


def test_the_token_is_the_time_where_that_is_higher() -> None:
    assert next_token(5, 1000) == 1000
    assert next_token(1000, 1000) == 1001
    assert next_token(2000, 1000) == 2001
    assert next_token(2000, BELIEVABLE_US) == 2001


def test_tokens_grow_through_restarts_with_clocks_set_back(sqlite_path: Path) -> None:
    starts = [datetime(2027, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)]
    tokens = [one_token(sqlite_path, ManualClock(start)) for start in starts for _ in range(2)]
    assert tokens == sorted(set(tokens))


def test_a_clock_beyond_belief_is_not_used_and_raises_an_alarm(
    sqlite_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = one_token(sqlite_path, ManualClock(datetime(2027, 1, 1, tzinfo=UTC)))
    with caplog.at_level(logging.CRITICAL, "interlock.leases"):
        after = one_token(sqlite_path, ManualClock(datetime(2190, 1, 1, tzinfo=UTC)))
    assert after == before + 1
    assert "beyond belief" in caplog.text
