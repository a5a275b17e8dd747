"""SQLite: one writing connection in WAL with synchronous=FULL, read-only connections beside it."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.clock import SECOND, Clock
from core.errors import StoreError, StoreLost
from core.store.rows import Row
from core.store.statement import Statement

RESERVE_BYTES = 64 * 1024 * 1024
"""Free space kept for decisions, heartbeats, releases and run ends."""

_BUSY_CHANGES = 4_000
_IDLE_CHANGES = 200
"""Rows changed until the write-ahead log is moved into the database, between two batches and in a quarter of a second
without any. Once moved it is written again from its start, which costs half as much as letting its file grow."""
_MOST_WAL_BYTES = 64 * 1024 * 1024
"""How long that file stays after a reader kept it from being moved."""

_IO_ERRORS = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class SqliteEngine:
    """The writing connection to one database file.

    Store time is the wall clock at opening advanced by the monotonic clock, and never below the highest
    time that the log holds: a wall clock that jumps moves nothing.
    """

    dialect = "sqlite"

    def __init__(self, path: Path, clock: Clock, *, reserve_bytes: int = RESERVE_BYTES) -> None:
        self._path = path
        self._clock = clock
        self._reserve = reserve_bytes
        self._room_checked = 0.0
        self._room = True
        self._moved_at = 0
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "wal_autocheckpoint=0",
                f"journal_size_limit={_MOST_WAL_BYTES}",
                "temp_store=MEMORY",
                "cache_size=-32768",
                "busy_timeout=5000",
            ):
                self._db.execute(f"PRAGMA {pragma}")
            highest = self._highest_time()
        except sqlite3.Error as error:
            raise StoreError(f"cannot open the database {path}: {error}") from error
        self._base_us = max(clock.wall_us(), highest)
        self._base_monotonic = clock.monotonic()

    def _highest_time(self) -> int:
        try:
            row = self._db.execute("SELECT max(ts) FROM log_head").fetchone()
        except sqlite3.OperationalError:  # before the first migration there is no table
            return 0
        return int(row[0] or 0)

    def now_us(self) -> int:
        """The store's time in microseconds."""
        return self._base_us + int((self._clock.monotonic() - self._base_monotonic) * SECOND)

    def begin(self, locks: Sequence[str]) -> int:
        self._db.execute("BEGIN IMMEDIATE")
        return self.now_us()

    def execute(self, sql: str, values: Mapping[str, Any]) -> sqlite3.Cursor:
        return self._db.execute(sql, values)

    def one(self, statement: Statement, values: Mapping[str, Any]) -> Row | None:
        return _one(self._db, statement, values)

    def all(self, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        return _all(self._db, statement, values)

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self._db.executemany(sql, rows)

    def savepoint(self) -> None:
        self._db.execute("SAVEPOINT f")

    def release(self) -> None:
        self._db.execute("RELEASE f")

    def undo(self) -> None:
        self._db.execute("ROLLBACK TO f")
        self._db.execute("RELEASE f")

    def is_open(self) -> bool:
        return self._db.in_transaction

    def lock_log(self) -> None:
        """Nothing to take: the one writer holds the database."""

    def commit(self) -> None:
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _IO_ERRORS:
                raise StoreLost(f"COMMIT failed: {error}") from error
            self.rollback()
            raise

    def rollback(self) -> None:
        if self._db.in_transaction:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")

    def next_id(self, kind: str) -> int:
        row = self._db.execute(
            "INSERT INTO counter (kind, value) VALUES (?, 1) "
            "ON CONFLICT (kind) DO UPDATE SET value = value + 1 RETURNING value",
            (kind,),
        ).fetchone()
        return int(row[0])

    def rest(self, idle: bool) -> None:
        changes = self._db.total_changes
        if changes - self._moved_at < (_IDLE_CHANGES if idle else _BUSY_CHANGES):
            return
        self._moved_at = changes
        with suppress(sqlite3.OperationalError):
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def has_room(self) -> bool:
        now = time.monotonic()
        if now - self._room_checked > 1.0:
            self._room_checked = now
            with suppress(OSError):
                self._room = shutil.disk_usage(self._path.parent).free > self._reserve
        return self._room

    def reader(self) -> SqliteReader:
        return SqliteReader(self._path, self.now_us)

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()


class SqliteReader:
    """A read-only connection; every statement sees the newest commit and holds no snapshot afterwards."""

    def __init__(self, path: Path, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        self._db.execute("PRAGMA busy_timeout=5000")

    @property
    def now_us(self) -> int:
        return self._now_us()

    def one(self, statement: Statement, **values: Any) -> Row | None:
        return _one(self._db, statement, values)

    def all(self, statement: Statement, **values: Any) -> list[Row]:
        return _all(self._db, statement, values)

    def close(self) -> None:
        self._db.close()


_columns: dict[str, tuple[str, ...]] = {}
"""SQL text -> the names of its columns. A dict made of them is read several times faster than a wide `sqlite3.Row`."""


def _one(db: sqlite3.Connection, statement: Statement, values: Mapping[str, Any]) -> Row | None:
    sql = statement.sql("sqlite")
    found = db.execute(sql, values)
    row = found.fetchone()
    return None if row is None else dict(zip(_columns.get(sql) or _named(sql, found), row, strict=True))


def _all(db: sqlite3.Connection, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
    sql = statement.sql("sqlite")
    found = db.execute(sql, values)
    names = _columns.get(sql) or _named(sql, found)
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _named(sql: str, found: sqlite3.Cursor) -> tuple[str, ...]:
    names = _columns[sql] = tuple(column[0] for column in found.description)
    return names
