"""What only PostgreSQL can do to us: a lost connection, a COMMIT without an answer, another node."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import select

from core.errors import StoreError, StoreLost
from core.leases.acquiring import acquire
from core.leases.ending import release
from core.leases.lease import Lease
from core.leases.request import Acquire
from core.leases.terms import LEASE_LOCKS
from core.store import schema
from core.store.database import Database
from core.store.postgres import PostgresEngine
from core.store.statement import Statement
from core.store.tx import Tx
from core.testing.store import held_up, later, names, put

_SEQS = Statement(select(schema.log.c.seq).order_by(schema.log.c.seq))


@pytest.fixture
def engine(postgres_dsn: str) -> PostgresEngine:
    return PostgresEngine(postgres_dsn)


@pytest.fixture
def lost() -> list[BaseException]:
    return []


@pytest.fixture
def opened(engine: PostgresEngine, lost: list[BaseException]) -> Iterator[Database]:
    database = Database(engine, on_lost=lost.append)
    database.open()
    yield database
    database.close()


def kill(dsn: str, engine: PostgresEngine) -> None:
    """End the writer's session on the server, as a failing network or an administrator would."""
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [engine._db.info.backend_pid])


def check_seqs(database: Database, count: int) -> None:
    rows = database.read_now(lambda reader: reader.all(_SEQS))
    assert [row["seq"] for row in rows] == list(range(1, count + 1))


class Wire:
    """The writer's connection, with something happening around its COMMIT."""

    def __init__(self, real: Any, *, before: Callable[[], None] | None = None, lose_answer: bool = False) -> None:
        self._real = real
        self._before = before
        self._lose_answer = lose_answer

    def execute(self, sql: str, *values: Any) -> Any:
        if sql != "COMMIT":
            return self._real.execute(sql, *values)
        if self._before is not None:
            self._before()
        cursor = self._real.execute(sql, *values)
        if self._lose_answer:
            self._real.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def test_a_connection_killed_in_a_batch_costs_nobody_their_answer(
    opened: Database, engine: PostgresEngine, postgres_dsn: str
) -> None:
    killed: list[bool] = []

    def kill_once(tx: Tx, name: str) -> str:
        if not killed:
            killed.append(True)
            kill(postgres_dsn, engine)
        return put(tx, name)

    with held_up(opened):
        futures = [later(opened, put, "a"), later(opened, kill_once, "b"), later(opened, put, "c")]
    assert [future.result(20) for future in futures] == ["a", "b", "c"]
    assert names(opened) == ["a", "b", "c"]
    check_seqs(opened, 3)


def test_a_connection_killed_between_batches_is_made_anew(
    opened: Database, engine: PostgresEngine, postgres_dsn: str
) -> None:
    opened.write_now(put, "a")
    kill(postgres_dsn, engine)
    assert opened.write_now(put, "b") == "b"
    check_seqs(opened, 2)


def test_a_connection_killed_before_commit_means_that_the_functions_run_again(
    opened: Database, engine: PostgresEngine, postgres_dsn: str
) -> None:
    with held_up(opened):
        future = later(opened, put, "a")
        engine._db = Wire(engine._db, before=lambda: kill(postgres_dsn, engine))  # type: ignore[assignment]
    assert future.result(20) == "a"
    assert names(opened) == ["a"]
    check_seqs(opened, 1)


def test_a_commit_whose_answer_was_lost_is_found_and_not_done_twice(opened: Database, engine: PostgresEngine) -> None:
    runs: list[str] = []

    def count(tx: Tx, name: str) -> str:
        runs.append(name)
        return put(tx, name)

    with held_up(opened):
        futures = [later(opened, count, name) for name in "ab"]
        first = engine._db

        def lose_the_second() -> None:
            engine._db = Wire(first, lose_answer=True)  # type: ignore[assignment]

        engine._db = Wire(first, before=lose_the_second)  # type: ignore[assignment]
    assert [future.result(20) for future in futures] == ["a", "b"]
    assert runs == ["a", "b"]
    check_seqs(opened, 2)
    assert opened.write_now(put, "c") == "c"
    check_seqs(opened, 3)


def test_a_commit_that_nobody_can_be_asked_about_ends_the_process(
    opened: Database, engine: PostgresEngine, lost: list[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.store.postgres.LOOK_SECONDS", 1.0)
    with held_up(opened):
        future = later(opened, put, "a")
        first = engine._db

        def lose_everything() -> None:
            engine._db = Wire(first, lose_answer=True)  # type: ignore[assignment]
            engine._dsn = "postgresql://hub@/nowhere?host=/nonexistent"

        engine._db = Wire(first, before=lose_everything)  # type: ignore[assignment]
    with pytest.raises(StoreLost):
        future.result(20)
    opened.writer.stop()
    assert [type(error) for error in lost] == [StoreLost]


def test_a_server_that_is_away_is_a_store_error_and_nothing_more(
    opened: Database, engine: PostgresEngine, postgres_dsn: str
) -> None:
    dsn, engine._dsn = engine._dsn, "postgresql://hub@/nowhere?host=/nonexistent"
    kill(postgres_dsn, engine)
    with pytest.raises(StoreError, match="cannot reach PostgreSQL"):
        opened.write_now(put, "a")
    engine._dsn = dsn
    assert opened.write_now(put, "b") == "b"
    check_seqs(opened, 1)


def test_two_nodes_write_one_dense_log(postgres_dsn: str) -> None:
    nodes = [Database(PostgresEngine(postgres_dsn)) for _ in range(2)]
    for node in nodes:
        node.open()
    try:
        futures = [later(nodes[n % 2], put, f"n{n:03}") for n in range(200)]
        assert [future.result(30) for future in futures] == [f"n{n:03}" for n in range(200)]
        check_seqs(nodes[0], 200)
        nodes[1].write_now(put, "last")
        assert nodes[1].log.size == 201
    finally:
        for node in nodes:
            node.close()


def test_two_nodes_never_hold_one_lease_at_once(postgres_dsn: str) -> None:
    nodes = [Database(PostgresEngine(postgres_dsn)) for _ in range(2)]
    for node in nodes:
        node.open()
    tokens: list[int] = []
    holding: list[str] = []

    def work(node: Database, who: str) -> None:
        wanted = Acquire(principal=who, resources=("env:a",))
        for _ in range(400):
            try:
                lease = node.write_now(acquire, wanted, locks=LEASE_LOCKS)
            except Exception as refusal:
                assert getattr(refusal, "code", None) == "held", refusal
                continue
            assert isinstance(lease, Lease)
            holding.append(who)
            assert holding == [who]
            tokens.append(lease.token)
            holding.remove(who)
            node.write_now(release, who, lease.lock_id, lease.token, locks=LEASE_LOCKS)

    failures: list[BaseException] = []

    def watched(node: Database, who: str) -> None:
        try:
            work(node, who)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=watched, args=(node, f"p{n}")) for n, node in enumerate(nodes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for node in nodes:
        node.close()
    assert failures == []
    assert len(tokens) > 20
    assert tokens == sorted(set(tokens))
