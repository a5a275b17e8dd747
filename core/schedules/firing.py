"""Serving a schedule that is due: taken by one process, in the transaction of what comes of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, bindparam, func, literal_column, null, select, update

from core import ids
from core.people.directory import HUB
from core.schedules.schedule import Schedule, end, from_row
from core.schedules.timing import Turn, turn
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx

_AT_ONCE = 50
_T = schema.schedule
_now = bindparam("now", type_=BigInteger())
_DUE = Statement(
    select(_T).where(_T.c.due_at.is_not(None), _T.c.due_at <= _now).order_by(_T.c.due_at, _T.c.id).limit(_AT_ONCE)
)
_NEXT = Statement(select(func.min(_T.c.due_at).label("due")).where(_T.c.due_at.is_not(None)))
_TAKE = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.due_at == bindparam("w_due"), _T.c.due_at <= bindparam("w_now"))
    .values(
        next_at=bindparam("next_at", type_=BigInteger()),
        due_at=bindparam("due_at", type_=BigInteger()),
        forced_by=null(),
        missed_times=_T.c.missed_times + bindparam("missed"),
    )
)
_NOTE = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"))
    .values(
        fired=_T.c.fired + literal_column("1"),
        last_at=bindparam("at"),
        last_code=bindparam("code"),
        last_approval=bindparam("approval"),
    )
)


def due(reader: Reader) -> list[Schedule]:
    """The schedules to serve now, a bounded number."""
    return [from_row(row) for row in reader.all(_DUE, now=reader.now_us)]


def next_due(reader: Reader) -> int | None:
    """When the next schedule is due, in microseconds since 1970; None when none is."""
    row = reader.one(_NEXT)
    return row["due"] if row is not None else None


def turn_of(schedule: Schedule, now_us: int) -> Turn:
    """What comes of it now that it is due. A forced one gives its command beside its times, which stay."""
    if schedule.forced_by is not None:
        return Turn(due=now_us, missed=0, next_at=schedule.next_at)
    return turn(schedule.timing, schedule.due_at or now_us, now_us, catch_up=schedule.missed == "run-once")


def take(tx: Tx, schedule: Schedule, taken: Turn) -> bool:
    """Whether this transaction serves it: False when another did, or it was paused, forced or ended meanwhile."""
    moved = tx.run(
        _TAKE,
        w_id=schedule.id,
        w_due=schedule.due_at,
        w_now=tx.now_us,
        next_at=taken.next_at,
        due_at=taken.next_at,
        missed=taken.missed,
    )
    if moved == 1 and taken.missed:
        details: dict[str, Any] = {"count": taken.missed, "first": schedule.due_at, "made_up": taken.due is not None}
        tx.record("schedule:missed", actor=HUB.id, subject=schedule.name, details=details)
    return moved == 1


def pass_over(tx: Tx, schedule: Schedule, taken: Turn) -> bool:
    """Its missed times are behind it, and nothing was made up for; as `take`."""
    taken_here = take(tx, schedule, taken)
    if taken_here:
        _end_if_over(tx, schedule, taken)
    return taken_here


def settle(tx: Tx, schedule: Schedule, taken: Turn, *, code: str, approval: int | None) -> None:
    """What came of its command stands in its row and in the log: `ok`, or the code of a refusal."""
    tx.run(_NOTE, w_id=schedule.id, at=tx.now_us, code=code, approval=approval)
    tx.record(
        "schedule:fired",
        actor=schedule.owner,
        subject=schedule.name,
        channel=schedule.channel,
        details={
            "due": taken.due,
            "forced_by": schedule.forced_by,
            "code": code,
            "approval": ids.show("A", approval) if approval is not None else None,
            "next": taken.next_at,
        },
    )
    _end_if_over(tx, schedule, taken)


def _end_if_over(tx: Tx, schedule: Schedule, taken: Turn) -> None:
    if taken.next_at is None and schedule.state == "active":
        end(tx, schedule, by=HUB.id, channel=None, why="its time is over")
