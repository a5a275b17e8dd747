"""The SQL store keeps the lease contract on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.clock import ManualClock
from core.store.database import Database
from core.store.sqlite import SqliteEngine
from core.testing.lease_store import ClockedPostgres, LeaseStore, SqlLeaseStore
from core.testing.leases import LeaseStoreContract


class TestLeasesOnSqlite(LeaseStoreContract):
    @pytest.fixture
    def store(self, sqlite_path: Path) -> Iterator[LeaseStore]:
        clock = ManualClock()
        database = Database(SqliteEngine(sqlite_path, clock))
        database.open()
        yield SqlLeaseStore(database, clock)
        database.close()


class TestLeasesOnPostgres(LeaseStoreContract):
    @pytest.fixture
    def store(self, postgres_dsn: str) -> Iterator[LeaseStore]:
        clock = ManualClock()
        database = Database(ClockedPostgres(postgres_dsn, clock))
        database.open()
        yield SqlLeaseStore(database, clock)
        database.close()
