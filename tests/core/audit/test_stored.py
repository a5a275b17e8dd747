"""The log in a real database: intact as the writer leaves it, and every bend of its tables found."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Table, bindparam, delete, insert, update

from core.audit import stored
from core.audit.judge import Held
from core.audit.keys import SigningKey
from core.audit.merkle import leaf_hash
from core.audit.note import Checkpoint, sign
from core.audit.proof import prove, verify_proof
from core.audit.stored import StoredLog, verify_stored
from core.audit.subtrees import Subtrees
from core.audit.verdict import Verdict
from core.store import schema
from core.store.database import Database
from core.store.statement import Statement
from core.store.tx import Tx

KEY = SigningKey.generate("interlock.log/test")
LOG, VALUE, CHECKPOINT = schema.log, schema.log_value, schema.checkpoint


def record(tx: Tx, number: int) -> None:
    private = {"reason": f"because {number}", "comment": "ok"} if number % 3 == 0 else {}
    tx.record("approval:decided", actor="ana", subject=f"A{number}", details={"revision": 1}, private=private)


def note_of(database: Database) -> str:
    """A checkpoint of what is committed now."""
    tree = database.log.tree
    return sign(Checkpoint(origin=database.log.origin, size=tree.size, root=tree.root()).text, [KEY]).render()


def store(tx: Tx, note: str) -> None:
    """Keep a checkpoint and record it, as the hub does."""
    checkpoint = Checkpoint.parse(note.partition("\n\n")[0] + "\n")
    tx.run(Statement(insert(CHECKPOINT), ("size", "note", "at")), size=checkpoint.size, note=note, at=tx.now_us)
    root = base64.b64encode(checkpoint.root).decode()
    tx.record("log:checkpoint", actor=None, details={"size": checkpoint.size, "root": root})


@pytest.fixture(autouse=True)
def pages_of_seven(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small log is read in several pages."""
    monkeypatch.setattr(stored, "_PAGE", 7)


def fill(database: Database) -> str:
    """Thirty entries and a checkpoint inside after twenty of them; a note of all of it, to be kept outside."""
    for number in range(1, 21):
        database.write_now(record, number)
    database.write_now(store, note_of(database))
    for number in range(21, 31):
        database.write_now(record, number)
    return note_of(database)


def verdict_of(database: Database, *outside: str) -> Verdict:
    held = [Held(source="the anchor", note=note) for note in outside]
    return database.read_now(verify_stored, keys=[KEY.verifier], outside=held)


def test_the_log_that_the_writer_leaves_is_intact(any_database: Database) -> None:
    outside = fill(any_database)
    verdict = verdict_of(any_database, outside)
    assert verdict.intact, verdict.lines()
    assert (verdict.size, verdict.anchored_size, verdict.checkpoints) == (31, 31, 2)
    assert verdict.root == any_database.log.tree.root()


def test_every_stored_entry_can_be_proved(any_database: Database) -> None:
    note, subtrees = fill(any_database), Subtrees()
    source = any_database.read_now(StoredLog)
    for seq, entry, *_ in source.rows():
        proof = prove(seq, note, subtrees=subtrees, source=source)
        assert verify_proof(proof, keys=[KEY.verifier], entry=entry).size == 31


def change(table: Table, seq: int | None = None, /, **columns: Any) -> Callable[[Tx], None]:
    """Sets columns of one row: that of an entry (or its reason), or the only one of the table."""

    def run(tx: Tx) -> None:
        new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
        values = {f"new_{name}": value for name, value in columns.items()}
        assert tx.run(Statement(_only(update(table), table, seq).values(new)), **values) == 1

    return run


def remove(table: Table, seq: int | None = None) -> Callable[[Tx], None]:
    """Deletes such a row."""

    def run(tx: Tx) -> None:
        assert tx.run(Statement(_only(delete(table), table, seq))) == 1

    return run


def _only(statement: Any, table: Table, seq: int | None) -> Any:
    if seq is not None:
        statement = statement.where(table.c.seq == seq)
    return statement.where(table.c.field == "reason") if table is VALUE else statement


@pytest.mark.parametrize(
    ("bend", "kind"),
    [
        (change(LOG, 5, entry=b"{}"), "edited"),
        (change(LOG, 5, entry=b"{}", leaf_hash=leaf_hash(b"{}")), "rewritten"),
        (change(LOG, 5, leaf_hash=bytes(32)), "edited"),
        (change(LOG, 31, seq=40), "missing"),
        (change(LOG, 5, actor="bob"), "column"),
        (change(LOG, 5, ts=1), "column"),
        (remove(LOG, 5), "missing"),
        (remove(LOG, 31), "truncated"),
        (change(VALUE, 3, value=b'"no"'), "value_changed"),
        (change(VALUE, 3, salt=bytes(32)), "value_changed"),
        (change(VALUE, 3, seq=4), "value_stray"),
        (remove(VALUE, 3), "value_missing"),
        (change(CHECKPOINT, note="scribble"), "bad_checkpoint"),
        (remove(CHECKPOINT), "checkpoint_removed"),
    ],
)
def test_a_bend_in_the_tables_is_found(any_database: Database, bend: Callable[[Tx], None], kind: str) -> None:
    outside = fill(any_database)
    any_database.write_now(bend)
    assert kind in {finding.kind for finding in verdict_of(any_database, outside).findings}


def test_verification_while_the_hub_appends_finds_nothing(database: Database) -> None:
    """Entries, values and a checkpoint arrive after the verification began: each page is followed by a write."""
    fill(database)
    written = iter(range(100, 160))

    class Busy:
        """A reader whose every read is followed by a commit."""

        def __init__(self, reader: Any) -> None:
            self.now_us = reader.now_us
            self._reader = reader

        def one(self, statement: Any, **values: Any) -> Any:
            return self._after(self._reader.one(statement, **values))

        def all(self, statement: Any, **values: Any) -> Any:
            return self._after(self._reader.all(statement, **values))

        def _after(self, found: Any) -> Any:
            number = next(written, None)
            if number is not None:
                database.write_now(record, number * 3)
                if number % 4 == 0:
                    database.write_now(store, note_of(database))
            return found

    verdict = database.read_now(lambda reader: verify_stored(Busy(reader), keys=[KEY.verifier]))
    assert verdict.intact, verdict.lines()
    assert verdict.size > 40
