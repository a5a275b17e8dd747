"""What only SQLite can do to us: full and read-only files, jumping wall clocks, a log kept beside the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.clock import SECOND, ManualClock
from core.errors import Conflict, StoreError, StoreLost, Unavailable
from core.store.database import Database
from core.store.sqlite import SqliteEngine
from core.store.tx import Tx
from core.testing.store import check_log, held_up, later, names, note_refusal, put


@pytest.fixture
def engine(sqlite_path: Path, clock: ManualClock) -> SqliteEngine:
    return SqliteEngine(sqlite_path, clock)


@pytest.fixture
def opened(engine: SqliteEngine) -> Iterator[Database]:
    database = Database(engine)
    database.open()
    yield database
    database.close()


def pragma(database: Database, engine: SqliteEngine, text: str) -> None:
    """Set a pragma of the writing connection, on its own thread and outside what it writes."""
    with held_up(database):
        engine._db.execute(f"PRAGMA {text}")


def fill(database: Database) -> int:
    """Write until the disk is full; how many writes were answered."""
    answered = 0
    while answered < 2_000:
        try:
            database.write_now(put, f"row-{answered:05}", "x" * 2_000)
        except Unavailable as refused:
            assert refused.code == "disk_full"
            return answered
        answered += 1
    raise AssertionError("the disk did not fill")


def test_a_full_disk_refuses_and_loses_nothing_that_was_answered(opened: Database, engine: SqliteEngine) -> None:
    pages = engine._db.execute("PRAGMA page_count").fetchone()[0]
    pragma(opened, engine, f"max_page_count={pages + 20}")
    answered = fill(opened)
    assert answered > 0
    assert len(names(opened)) == answered
    check_log(opened, *["command:received"] * answered)
    pragma(opened, engine, f"max_page_count={pages + 10_000}")
    assert opened.write_now(put, "after") == "after"
    check_log(opened, *["command:received"] * (answered + 1))


def test_a_function_that_does_not_fit_fails_alone(opened: Database, engine: SqliteEngine) -> None:
    pages = engine._db.execute("PRAGMA page_count").fetchone()[0]
    pragma(opened, engine, f"max_page_count={pages + 20}")
    with held_up(opened):
        small, big, last = later(opened, put, "a"), later(opened, put, "b", "x" * 1_000_000), later(opened, put, "c")
    with pytest.raises(Unavailable, match="disk is full"):
        big.result(10)
    assert (small.result(10), last.result(10)) == ("a", "c")
    check_log(opened, "command:received", "command:received")


def test_a_read_only_database_refuses_and_serves_reads(opened: Database, engine: SqliteEngine) -> None:
    opened.write_now(put, "a")
    pragma(opened, engine, "query_only=ON")
    with pytest.raises(Unavailable) as refused:
        opened.write_now(put, "b")
    assert refused.value.code == "read_only"
    with pytest.raises(Unavailable):
        later(opened, put, "b", refused=note_refusal).result(10)
    assert names(opened) == ["a"]
    engine._db.execute("PRAGMA query_only=OFF")
    assert opened.write_now(put, "c") == "c"
    check_log(opened, "command:received", "command:received")


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_CORRUPT])
def test_an_io_error_at_commit_ends_the_process(sqlite_path: Path, clock: ManualClock, code: int) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    engine = SqliteEngine(sqlite_path, clock)
    lost: list[BaseException] = []
    database = Database(engine, on_lost=lost.append)
    real = engine._db
    engine._db = FailingCommit(real, error)  # type: ignore[assignment]  # the same connection but for COMMIT
    database.open()
    with pytest.raises(StoreLost):
        database.write_now(put, "a")
    database.close()
    assert len(lost) == 1


def test_a_commit_that_only_found_the_disk_full_ends_nothing(sqlite_path: Path, clock: ManualClock) -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    engine = SqliteEngine(sqlite_path, clock)
    database = Database(engine)
    engine._db = failing = FailingCommit(engine._db, error)  # type: ignore[assignment]
    database.open()
    with pytest.raises(Unavailable, match="disk is full"):
        database.write_now(put, "a")
    failing.error = None
    assert database.write_now(put, "b") == "b"
    check_log(database, "command:received")
    database.close()


class FailingCommit:
    """A connection whose COMMIT fails with `error` while there is one."""

    def __init__(self, real: sqlite3.Connection, error: sqlite3.Error | None) -> None:
        self.real = real
        self.error = error

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql == "COMMIT" and self.error is not None:
            raise self.error
        return self.real.execute(sql, *values)

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)


def test_store_time_is_not_moved_by_the_wall_clock(opened: Database, clock: ManualClock) -> None:
    def now(tx: Tx) -> int:
        return tx.now_us

    first = opened.write_now(now)
    clock.jump(-3_600)
    clock.advance(5)
    assert opened.write_now(now) == first + 5 * SECOND
    clock.jump(86_400)
    assert opened.write_now(now) == first + 5 * SECOND


def test_store_time_begins_above_everything_in_the_log(sqlite_path: Path) -> None:
    def stamp(tx: Tx) -> int:
        tx.record("hub:started", actor=None)
        return tx.now_us

    times = []
    for year in (2027, 2020):
        database = Database(SqliteEngine(sqlite_path, ManualClock(datetime(year, 1, 1, tzinfo=UTC))))
        database.open()
        times.append(database.write_now(stamp))
        database.close()
    assert times[1] >= times[0]


def test_the_write_ahead_log_is_moved_into_the_database(
    sqlite_path: Path, opened: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.store.sqlite._BUSY_CHANGES", 20)
    before, wal = sqlite_path.stat().st_size, Path(f"{sqlite_path}-wal")
    for n in range(60):
        opened.write_now(put, f"row-{n}", "x" * 2_000)
    assert sqlite_path.stat().st_size > before
    grown = wal.stat().st_size
    for n in range(60, 120):
        opened.write_now(put, f"row-{n}", "x" * 2_000)
    assert wal.stat().st_size < 1.5 * grown  # what was moved is written over


def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "hub.db"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StoreError, match="cannot open"):
        SqliteEngine(path, clock)


def test_everything_answered_is_there_after_reopening(sqlite_path: Path, clock: ManualClock) -> None:
    def reopened(work: Callable[[Database], None]) -> None:
        database = Database(SqliteEngine(sqlite_path, clock))
        database.open()
        work(database)
        database.close()

    def fill_some(database: Database) -> None:
        for n in range(20):
            database.write_now(put, f"n{n:02}")
        with pytest.raises(Conflict):
            database.write_now(refuse_one)

    reopened(fill_some)
    reopened(lambda database: check_log(database, *["command:received"] * 20))


def refuse_one(tx: Tx) -> None:
    raise Conflict("no", "no")
