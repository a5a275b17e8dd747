"""The contract of a store: subclass `StoreContract`, give it the fixture `open_engine`, and run pytest."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import BigInteger, bindparam, insert, select, update

from core.audit.merkle import Tree
from core.clock import SECOND
from core.errors import Conflict, Refusal, StoreError, StoreLost, Unavailable
from core.store import schema, writer
from core.store.database import Database
from core.store.engine import Engine
from core.store.job import Job
from core.store.statement import Statement
from core.store.tx import Tx
from core.testing.faults import Faults

Done = concurrent.futures.Future[Any]

_NEW = Statement(insert(schema.flag), ("name", "value", "at"))
_ALL = Statement(select(schema.flag.c.name, schema.flag.c.value).order_by(schema.flag.c.name))
_TAKE = Statement(
    update(schema.flag)
    .where(schema.flag.c.name == bindparam("w_name"), schema.flag.c.value == "free")
    .values(value="taken", at=bindparam("at", type_=BigInteger()))
)
_LOG = Statement(select(schema.log.c.seq, schema.log.c.event, schema.log.c.leaf_hash).order_by(schema.log.c.seq))


def put(tx: Tx, name: str, value: str = "") -> str:
    """A row and an entry about it."""
    tx.run(_NEW, name=name, value=value, at=tx.now_us)
    tx.record("command:received", actor="ana", subject=name, private={"text": name})
    return name


def refuse(tx: Tx, name: str) -> None:
    put(tx, name)
    tx.after_commit(lambda: pytest.fail("what a refused function wanted told was told"))
    raise Conflict("no", f"not {name}")


def break_down(tx: Tx, name: str) -> None:
    put(tx, name)
    raise ZeroDivisionError(name)


def note_refusal(tx: Tx, refusal: Refusal) -> str:
    tx.record("command:refused", actor="ana", details={"code": refusal.code})
    return f"answered {refusal.code}"


def later(
    database: Database,
    fn: Callable[..., Any],
    *args: Any,
    urgent: bool = False,
    refused: Callable[[Tx, Refusal], Any] | None = None,
) -> Done:
    """The future of a write that nobody waits for yet."""
    future: Done = concurrent.futures.Future()
    database.writer.submit(Job(fn, args, locks=(), urgent=urgent, refused=refused, loop=None, future=future))
    return future


@contextmanager
def held_up(database: Database) -> Iterator[None]:
    """The writer stands in a function of its own until the block ends: what is queued inside becomes one batch."""
    inside, go = threading.Event(), threading.Event()

    def wait(tx: Tx) -> None:
        inside.set()
        go.wait(10)

    waiting = later(database, wait)
    assert inside.wait(10)
    try:
        yield
    finally:
        go.set()
        waiting.result(10)


def names(database: Database) -> list[str]:
    return [row["name"] for row in database.read_now(lambda reader: reader.all(_ALL))]


def check_log(database: Database, *events: str) -> None:
    """The log holds these events, dense from 1, and its tree in memory is the tree of what is stored."""
    rows = database.read_now(lambda reader: reader.all(_LOG))
    assert [row["event"] for row in rows] == list(events)
    assert [row["seq"] for row in rows] == list(range(1, len(events) + 1))
    tree = Tree()
    for row in rows:
        tree.append(bytes(row["leaf_hash"]))
    assert (database.log.size, database.log.tree.root()) == (tree.size, tree.root())


class StoreContract:
    """What any store must do. `open_engine` opens an engine on one migrated, empty database; a node each time."""

    @pytest.fixture
    def open_engine(self) -> Callable[[], Engine]:
        raise NotImplementedError("a subclass gives the engine")

    @pytest.fixture
    def faults(self, open_engine: Callable[[], Engine]) -> Faults:
        return Faults.around(open_engine())[0]

    @pytest.fixture
    def lost(self) -> list[BaseException]:
        """What `on_lost` was told."""
        return []

    @pytest.fixture
    def database(
        self, faults: Faults, lost: list[BaseException], monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Database]:
        # Batches end by their number of functions only, so that a slow machine does not cut them elsewhere.
        monkeypatch.setattr(writer, "BATCH_SECONDS", 60.0)
        opened = Database(faults, on_lost=lost.append)
        opened.open()
        yield opened
        opened.close()

    # Answers

    def test_a_refusal_is_a_value_and_leaves_nothing_but_its_record(self, database: Database) -> None:
        assert later(database, refuse, "a", refused=note_refusal).result(10) == "answered no"
        assert names(database) == []
        check_log(database, "command:refused")

    def test_a_refusal_that_nobody_records_is_raised_and_leaves_nothing(self, database: Database) -> None:
        with pytest.raises(Conflict) as refused:
            database.write_now(refuse, "a")
        assert refused.value.code == "no"
        assert names(database) == []
        check_log(database)

    def test_a_bug_leaves_no_trace_and_harms_nobody_in_its_batch(self, database: Database) -> None:
        with held_up(database):
            good, bad, other = later(database, put, "a"), later(database, break_down, "b"), later(database, put, "c")
        with pytest.raises(ZeroDivisionError):
            bad.result(10)
        assert (good.result(10), other.result(10)) == ("a", "c")
        assert names(database) == ["a", "c"]
        check_log(database, "command:received", "command:received")

    def test_a_refusal_whose_record_fails_leaves_no_trace(self, database: Database) -> None:
        def fail(tx: Tx, refusal: Refusal) -> None:
            note_refusal(tx, refusal)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            later(database, refuse, "a", refused=fail).result(10)
        check_log(database)

    def test_a_database_error_in_a_function_is_a_store_error_and_harms_nobody(self, database: Database) -> None:
        with held_up(database):
            first, again, other = later(database, put, "a"), later(database, put, "a"), later(database, put, "b")
        with pytest.raises(StoreError):
            again.result(10)
        assert (first.result(10), other.result(10)) == ("a", "b")
        check_log(database, "command:received", "command:received")

    def test_many_functions_share_a_commit_and_are_answered_after_it(self, database: Database, faults: Faults) -> None:
        answered: list[int] = []
        with held_up(database):
            futures = [later(database, put, f"n{n:02}") for n in range(50)]
            faults.before["commit"] = lambda: answered.append(sum(future.done() for future in futures))
        assert [future.result(10) for future in futures] == [f"n{n:02}" for n in range(50)]
        assert answered == [0, 0]  # the commit of what held the writer up, and one of all the others
        assert names(database) == [f"n{n:02}" for n in range(50)]

    def test_what_was_answered_is_there_for_another_node(
        self, database: Database, open_engine: Callable[[], Engine]
    ) -> None:
        database.write_now(put, "a")
        other = Database(open_engine())
        other.open()
        try:
            assert names(other) == ["a"]
        finally:
            other.close()

    def test_listeners_hear_of_commits_only_and_cannot_harm_the_writer(self, database: Database) -> None:
        heard: list[str] = []

        def tell(tx: Tx, name: str) -> None:
            put(tx, name)
            tx.after_commit(lambda: heard.append(name))
            tx.after_commit(lambda: 1 // 0)

        database.on_committed = lambda entries: heard.extend(str(entry.subject) for entry in entries)
        database.write_now(tell, "a")
        with pytest.raises(Conflict):
            database.write_now(refuse, "b")
        database.write_now(put, "c")
        database.writer.stop()
        assert heard == ["a", "a", "c"]

    # Order and bounds

    def test_urgent_functions_go_first_and_the_others_keep_their_order(self, database: Database) -> None:
        order: list[str] = []

        def run(tx: Tx, name: str) -> None:
            order.append(name)

        with held_up(database):
            futures = [later(database, run, name) for name in "abc"]
            futures += [later(database, run, name, urgent=True) for name in "xy"]
        for future in futures:
            future.result(10)
        assert order == ["x", "y", "a", "b", "c"]

    def test_beyond_the_queue_limit_only_urgent_functions_are_taken(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writer, "QUEUE_LIMIT", 3)
        with held_up(database):
            futures = [later(database, put, name) for name in "abc"]
            with pytest.raises(Unavailable) as refused:
                later(database, put, "d")
            futures.append(later(database, put, "e", urgent=True))
        assert refused.value.code == "overloaded"
        assert refused.value.data["retry_after_seconds"] > 0
        assert [future.result(10) for future in futures] == ["a", "b", "c", "e"]

    def test_a_long_batch_is_committed_in_parts(
        self, database: Database, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writer, "BATCH_SECONDS", 0.005)

        def slowly(tx: Tx, name: str) -> str:
            time.sleep(writer.BATCH_SECONDS)
            return put(tx, name)

        with held_up(database):
            before = faults.calls.get("commit", 0)
            futures = [later(database, slowly, name) for name in "abcd"]
        assert [future.result(10) for future in futures] == ["a", "b", "c", "d"]
        assert faults.calls["commit"] - before >= 4
        check_log(database, *["command:received"] * 4)

    def test_below_the_reserve_new_requests_are_refused_and_urgent_ones_commit(
        self, database: Database, faults: Faults
    ) -> None:
        faults.instead["has_room"] = lambda: False
        with pytest.raises(Unavailable) as refused:
            database.write_now(put, "a")
        assert refused.value.code == "disk_reserve"
        assert later(database, put, "b", refused=note_refusal).result(10) == "answered disk_reserve"
        assert database.write_now(put, "c", urgent=True) == "c"
        assert names(database) == ["c"]
        check_log(database, "command:refused", "command:received")

    def test_a_stop_finishes_what_was_queued_and_takes_nothing_more(self, database: Database) -> None:
        with held_up(database):
            futures = [later(database, put, name) for name in "abc"]
            stopping = threading.Thread(target=database.writer.stop)
            stopping.start()
            while database.writer.healthy:
                time.sleep(0.001)
            with pytest.raises(Unavailable) as refused:
                later(database, put, "d")
        stopping.join(10)
        assert refused.value.code == "stopping"
        assert [future.result(10) for future in futures] == ["a", "b", "c"]

    # Failures

    @pytest.mark.parametrize("raises", [True, False])
    def test_a_lost_transaction_voids_the_batch_and_its_functions_run_singly(
        self, database: Database, faults: Faults, raises: bool
    ) -> None:
        runs: dict[str, int] = {}

        def run(tx: Tx, name: str) -> str:
            runs[name] = runs.get(name, 0) + 1
            put(tx, name)
            if name == "c" and runs[name] == 1:
                faults.lose_transaction()
                if raises:
                    raise OSError("disk I/O error")
            return name

        with held_up(database):
            futures = [later(database, run, name) for name in "abcde"]
        assert [future.result(10) for future in futures] == ["a", "b", "c", "d", "e"]
        assert runs == {"a": 2, "b": 2, "c": 2, "d": 1, "e": 1}
        assert names(database) == ["a", "b", "c", "d", "e"]
        check_log(database, *["command:received"] * 5)

    def test_only_the_function_that_loses_every_transaction_fails(self, database: Database, faults: Faults) -> None:
        def lose(tx: Tx) -> None:
            put(tx, "b")
            faults.lose_transaction()

        with held_up(database):
            first, bad, last = later(database, put, "a"), later(database, lose), later(database, refuse, "c")
            answered = later(database, refuse, "d", refused=note_refusal)
        assert first.result(10) == "a"
        with pytest.raises(StoreError, match="nothing of this was done"):
            bad.result(10)
        with pytest.raises(Conflict):
            last.result(10)
        assert answered.result(10) == "answered no"
        assert names(database) == ["a"]
        check_log(database, "command:received", "command:refused")

    def test_a_guard_holds_although_its_function_runs_twice(self, database: Database, faults: Faults) -> None:
        database.write_now(put, "one", "free")

        def take(tx: Tx, lose: list[bool]) -> bool:
            taken = tx.run(_TAKE, w_name="one", at=tx.now_us) == 1
            if lose and lose.pop():
                faults.lose_transaction()
            return taken

        with held_up(database):
            futures = [later(database, take, lose) for lose in ([], [True], [])]
        assert [future.result(10) for future in futures] == [True, False, False]

    @pytest.mark.parametrize("method", ["begin", "lock_log", "commit", "execute_many"])
    def test_an_error_outside_the_functions_is_survived(self, database: Database, faults: Faults, method: str) -> None:
        def fail() -> None:
            raise OSError("disk I/O error")

        with held_up(database):
            futures = [later(database, put, name) for name in "ab"]
            if method == "begin":
                faults.once("begin", fail)
            else:
                held = faults.calls.get(method, 0)
                faults.before[method] = lambda: fail() if faults.calls[method] == held + self._skip(method) else None
        assert [future.result(10) for future in futures] == ["a", "b"]
        assert names(database) == ["a", "b"]
        check_log(database, "command:received", "command:received")

    @staticmethod
    def _skip(method: str) -> int:
        """Which call from now on belongs to the batch: the function that holds the writer up commits first."""
        return 1 if method == "execute_many" else 2

    def test_a_commit_that_nobody_knows_about_ends_the_writer_and_answers_nobody_ok(
        self, database: Database, faults: Faults, lost: list[BaseException]
    ) -> None:
        def fail() -> None:
            faults.engine.rollback()
            raise StoreLost("COMMIT failed: disk I/O error")

        with held_up(database):
            held = faults.calls.get("commit", 0)
            faults.before["commit"] = lambda: fail() if faults.calls["commit"] == held + 2 else None
            futures = [later(database, put, "a"), later(database, refuse, "b", refused=note_refusal)]
        for future in futures:
            with pytest.raises(StoreLost):
                future.result(10)
        database.writer.stop()
        assert [type(error) for error in lost] == [StoreLost]
        assert not database.writer.healthy
        with pytest.raises(Unavailable) as refused:
            later(database, put, "c")
        assert refused.value.code == "store_failed"

    def test_what_waits_behind_a_lost_commit_is_told_that_nothing_of_it_happened(
        self, database: Database, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writer, "BATCH_SECONDS", 0.005)

        def slowly(tx: Tx) -> None:
            time.sleep(writer.BATCH_SECONDS * 2)
            faults.before["commit"] = fail

        def fail() -> None:
            raise StoreLost("COMMIT failed: disk I/O error")

        with held_up(database):
            doubtful, certain = later(database, slowly), later(database, put, "b")
        with pytest.raises(StoreLost):
            doubtful.result(10)
        with pytest.raises(StoreError, match="nothing of this was done") as failed:
            certain.result(10)
        assert not isinstance(failed.value, StoreLost)

    # What follows, stalls, ids

    def test_what_follows_from_entries_is_in_their_transaction_and_its_failure_harms_nobody(
        self, database: Database
    ) -> None:
        def follow(tx: Tx) -> None:
            put(tx, f"after-{tx.drafts[0].subject}")
            if tx.drafts[0].subject == "bad":
                raise ZeroDivisionError

        database.writer.before_append = follow
        database.write_now(put, "good")
        database.write_now(put, "bad")
        assert names(database) == ["after-good", "bad", "good"]
        check_log(database, *["command:received"] * 3)

    def test_a_stall_is_told_before_anything_else_runs(self, database: Database, faults: Faults) -> None:
        told: list[int] = []
        order: list[str] = []

        def forgive(tx: Tx, stalled_us: int) -> None:
            told.append(stalled_us)
            order.append("stall")

        database.writer.on_stall = forgive
        faults.once("commit", lambda: time.sleep(0.8))
        first = later(database, put, "a")
        second = later(database, lambda tx: order.append("function"))
        first.result(10)
        second.result(10)
        database.write_now(lambda tx: order.append("function"))
        assert order[-2:] == ["stall", "function"] or order[:2] == ["stall", "function"]
        assert len(told) == 1
        assert 0.8 * SECOND <= told[0] < 5 * SECOND

    def test_a_stall_is_told_again_when_its_batch_was_void(self, database: Database, faults: Faults) -> None:
        told: list[int] = []
        database.writer.on_stall = lambda tx, stalled_us: told.append(stalled_us)
        faults.once("commit", lambda: time.sleep(0.8))
        database.write_now(put, "a")
        faults.once("lock_log", faults.lose_transaction)
        database.write_now(put, "b")
        assert len(told) == 2
        assert told[1] >= told[0]
        database.write_now(put, "c")
        assert len(told) == 2

    def test_a_quiet_writer_has_not_stalled(self, database: Database) -> None:
        told: list[int] = []
        database.writer.on_stall = lambda tx, stalled_us: told.append(stalled_us)
        database.write_now(put, "a")
        time.sleep(0.7)
        database.write_now(put, "b")
        assert told == []

    def test_ids_are_never_given_twice(self, database: Database) -> None:
        def take(tx: Tx) -> list[int]:
            return [tx.next_id("run") for _ in range(3)]

        given = database.write_now(take) + database.write_now(take)
        assert len(set(given)) == 6
        assert given == sorted(given)

    def test_readers_cannot_write(self, database: Database) -> None:
        with pytest.raises(Exception, match=r"(?i)read-?only"):
            database.read_now(lambda reader: reader.one(_NEW, name="a", value="", at=0))
        assert names(database) == []
