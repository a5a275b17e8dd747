"""One execution: at most one apply and one rollback an approval (P3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import bindparam, insert, select, update

from core import ids
from core.store import schema
from core.store.encoding import dump, load
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx

Kind = Literal["apply", "rollback"]
RunState = Literal["running", "completed", "failed", "unknown"]

_T = schema.run
_FIELDS = tuple(column.name for column in _T.columns)
_FIND = Statement(select(_T).where(_T.c.id == bindparam("id")))
_RUNNING = Statement(select(_T).where(_T.c.state == "running").order_by(_T.c.id))
_NEW = Statement(insert(_T), _FIELDS)
_IDENTIFY = Statement(
    update(_T).where(_T.c.id == bindparam("w_id"), _T.c.state == "running").values(process=bindparam("process"))
)
_ASK_STOP = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.state == "running", _T.c.stop_asked_at.is_(None))
    .values(stop_asked_at=bindparam("stop_asked_at"), stop_by=bindparam("stop_by"))
)
_KEEP_OUTPUT = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.state == "running")
    .values(output=bindparam("output"), output_dropped=bindparam("output_dropped"))
)
_END = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.state == "running")
    .values(
        state=bindparam("state"),
        exit=bindparam("exit"),
        why=bindparam("why"),
        output=bindparam("output"),
        output_dropped=bindparam("output_dropped"),
        ended_at=bindparam("ended_at"),
    )
)
_RESOLVE = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.state == "unknown")
    .values(state=bindparam("state"), why=bindparam("why"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run as it is stored. `process` identifies its process group for recovery; times in microseconds."""

    id: int
    approval: int
    kind: Kind
    state: RunState
    token: int
    lock_id: int | None
    holder: str
    process: Any
    exit: int | None
    why: str | None
    output: bytes | None
    output_dropped: int
    started_at: int
    ended_at: int | None
    stop_asked_at: int | None
    stop_by: str | None
    stash: bytes | None = None
    """What the action's `stash` said before it ran."""
    asked_by: str | None = None
    """Who asked for it, where somebody did: a rollback."""

    @property
    def name(self) -> str:
        """The id that people type: `R9`."""
        return ids.show("R", self.id)


def _from_row(row: Row) -> Run:
    values = {field: row[field] for field in _FIELDS}
    values["process"] = load(values["process"])
    return Run(**values)


def find_run(reader: Reader, number: int) -> Run:
    """The run with that number. Raises NotFound."""
    row = reader.one(_FIND, id=number)
    if row is None:
        raise ids.missing("R", number)
    return _from_row(row)


def running(reader: Reader) -> list[Run]:
    """Every run that has begun and not ended, oldest first."""
    return [_from_row(row) for row in reader.all(_RUNNING)]


def insert_run(
    tx: Tx, *, approval: int, kind: Kind, token: int, lock_id: int | None, holder: str, stash: bytes | None = None
) -> int:
    """A new running run; its number. The table refuses a second of the same kind."""
    number = tx.next_id("run")
    row: dict[str, Any] = dict.fromkeys(_FIELDS)
    row |= {"id": number, "approval": approval, "kind": kind, "state": "running", "token": token, "lock_id": lock_id}
    row |= {"holder": holder, "output_dropped": 0, "started_at": tx.now_us, "stash": stash}
    tx.run(_NEW, **row)
    return number


def identify(tx: Tx, number: int, process: Any) -> None:
    """The run's process group is written down before it is let go, so that recovery can find it."""
    tx.run(_IDENTIFY, w_id=number, process=dump(process))


def keep_output(tx: Tx, number: int, output: bytes, dropped: int) -> None:
    """What the run has printed so far is stored; its end stores it anew."""
    tx.run(_KEEP_OUTPUT, w_id=number, output=output, output_dropped=dropped)


def ask_stop(tx: Tx, number: int, by: str) -> bool:
    """Note that somebody wants the run stopped; False when it has ended or was asked before."""
    return tx.run(_ASK_STOP, w_id=number, stop_asked_at=tx.now_us, stop_by=by) == 1


def end_run(
    tx: Tx, number: int, *, state: RunState, exit_code: int | None, why: str | None, output: bytes, dropped: int
) -> bool:
    """The run has ended; False when it had already."""
    return (
        tx.run(
            _END,
            w_id=number,
            state=state,
            exit=exit_code,
            why=why,
            output=output,
            output_dropped=dropped,
            ended_at=tx.now_us,
        )
        == 1
    )


def resolve_run(tx: Tx, number: int, *, state: RunState, why: str) -> None:
    """A person said how an unknown run ended."""
    tx.run(_RESOLVE, w_id=number, state=state, why=why)
