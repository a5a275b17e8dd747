"""PostgreSQL through psycopg 3: READ COMMITTED, declared locks first, the log's lock last.

Declared lock keys are transaction-level advisory locks, taken sorted in one statement, so two nodes can
never wait for each other in a ring. The log's lock is the `log_head` row, held to COMMIT: commit order is
seq order. Each batch leaves a unique id; after a COMMIT whose answer was lost the engine looks for it.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from core.errors import StoreError, StoreLost
from core.store.rows import Row
from core.store.statement import Statement

_LOCK = (
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us, "
    "count(pg_advisory_xact_lock(k)) AS locks FROM unnest(%(keys)s::bigint[]) AS k"
)
_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us"
LOOK_SECONDS = 30.0
"""How long a batch whose COMMIT got no answer is looked for before the process gives up."""
_KEEP_BATCHES_US = 3_600 * 1_000_000
_SWEEP_US = 60 * 1_000_000


def _lock_key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


class PostgresEngine:
    """The writer's connection to one PostgreSQL database; reconnects when the link is lost."""

    dialect = "postgresql"

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn.replace("postgresql+psycopg://", "postgresql://", 1)
        self._batch = ""
        self._swept_us = 0
        self._now_us = time.time_ns() // 1000
        self._read_at = time.monotonic()
        self._db = self._connect()

    def _connect(self) -> psycopg.Connection[dict[str, Any]]:
        try:
            return psycopg.connect(self._dsn, row_factory=dict_row, autocommit=True, connect_timeout=10)
        except psycopg.Error as error:
            raise StoreError(f"cannot reach PostgreSQL: {error}") from error

    def begin(self, locks: Sequence[str]) -> int:
        if self._db.closed:
            self._db = self._connect()
        self._batch = secrets.token_hex(16)
        self._db.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        # Locks first, in one statement and in one order; the time is read after they are held.
        if locks:
            self._db.execute(_LOCK, {"keys": sorted(_lock_key(name) for name in locks)})
        row = self._db.execute(_NOW).fetchone()
        assert row is not None
        self._now_us = int(row["now_us"])
        self._read_at = time.monotonic()
        return self._now_us

    def now_us(self) -> int:
        return self._now_us + int((time.monotonic() - self._read_at) * 1_000_000)

    def execute(self, sql: str, values: Mapping[str, Any]) -> psycopg.Cursor[dict[str, Any]]:
        return self._db.execute(sql, values)

    def one(self, statement: Statement, values: Mapping[str, Any]) -> Row | None:
        return self._db.execute(statement.sql("postgresql"), values).fetchone()

    def all(self, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        return list(self._db.execute(statement.sql("postgresql"), values).fetchall())

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        with self._db.cursor() as cursor:
            cursor.executemany(sql, rows)

    def savepoint(self) -> None:
        self._db.execute("SAVEPOINT f")

    def release(self) -> None:
        self._db.execute("RELEASE SAVEPOINT f")

    def undo(self) -> None:
        self._db.execute("ROLLBACK TO SAVEPOINT f")
        self._db.execute("RELEASE SAVEPOINT f")

    def is_open(self) -> bool:
        return self._db.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    def lock_log(self) -> None:
        self._db.execute("SELECT id FROM log_head WHERE id = 1 FOR UPDATE")

    def commit(self) -> None:
        self._db.execute("INSERT INTO batch (id, at) VALUES (%(id)s, %(at)s)", {"id": self._batch, "at": self._now_us})
        if self._now_us > self._swept_us + _SWEEP_US:
            self._swept_us = self._now_us
            self._db.execute("DELETE FROM batch WHERE at < %(old)s", {"old": self._now_us - _KEEP_BATCHES_US})
        try:
            self._db.execute("COMMIT")
        except psycopg.Error as error:
            if not self._committed_after_all(error):
                raise

    def _committed_after_all(self, error: psycopg.Error) -> bool:
        """Whether the batch whose COMMIT got no answer is there. Raises StoreLost when nobody can say.

        The lost transaction may still be ending on the server; it holds the log's lock until it has, so the look
        waits for that lock first.
        """
        if not self._db.closed and not self._db.broken:
            return False
        deadline = time.monotonic() + LOOK_SECONDS
        while True:
            try:
                self._db = self._connect()
                with self._db.transaction():
                    self._db.execute(f"SET LOCAL lock_timeout = '{int(LOOK_SECONDS)}s'")
                    self.lock_log()
                    row = self._db.execute("SELECT 1 AS found FROM batch WHERE id = %(id)s", {"id": self._batch})
                    return row.fetchone() is not None
            except (psycopg.Error, StoreError) as failure:
                if time.monotonic() > deadline:
                    raise StoreLost(f"COMMIT got no answer ({error}) and nobody can be asked: {failure}") from error
                time.sleep(0.5)

    def rollback(self) -> None:
        if not self._db.closed and self.is_open():
            with suppress(psycopg.Error):
                self._db.execute("ROLLBACK")

    def next_id(self, kind: str) -> int:
        row = self._db.execute(f"SELECT nextval('counter_{kind}') AS value").fetchone()
        assert row is not None
        return int(row["value"])

    def rest(self, idle: bool) -> None:
        """Nothing to do: the server keeps itself."""

    def has_room(self) -> bool:
        return True

    def reader(self) -> PostgresReader:
        return PostgresReader(self._dsn)

    def close(self) -> None:
        with suppress(psycopg.Error):
            self._db.close()


class PostgresReader:
    """A read-only autocommit connection."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._db = self._connect()

    def _connect(self) -> psycopg.Connection[dict[str, Any]]:
        return psycopg.connect(
            self._dsn, row_factory=dict_row, autocommit=True, options="-c default_transaction_read_only=on"
        )

    def _execute(self, sql: str, values: Mapping[str, Any]) -> psycopg.Cursor[dict[str, Any]]:
        if self._db.closed:
            self._db = self._connect()
        return self._db.execute(sql, values)

    @property
    def now_us(self) -> int:
        row = self._execute(_NOW, {}).fetchone()
        assert row is not None
        return int(row["now_us"])

    def one(self, statement: Statement, **values: Any) -> Row | None:
        return self._execute(statement.sql("postgresql"), values).fetchone()

    def all(self, statement: Statement, **values: Any) -> list[Row]:
        return list(self._execute(statement.sql("postgresql"), values).fetchall())

    def close(self) -> None:
        self._db.close()
