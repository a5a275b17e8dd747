"""Both engines keep the store's contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.clock import ManualClock
from core.store.engine import Engine
from core.store.postgres import PostgresEngine
from core.store.sqlite import SqliteEngine
from core.testing.store import StoreContract


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def open_engine(self, sqlite_path: Path, clock: ManualClock) -> Callable[[], Engine]:
        return lambda: SqliteEngine(sqlite_path, clock)


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def open_engine(self, postgres_dsn: str) -> Callable[[], Engine]:
        return lambda: PostgresEngine(postgres_dsn)
