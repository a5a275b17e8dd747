"""Deadlines made visible. The guards in every transaction enforce them already; this only says so."""

from __future__ import annotations

from sqlalchemy import ScalarSelect, and_, bindparam, func, literal_column, or_, select

from core.approvals.approval import from_row
from core.approvals.closing import close
from core.approvals.states import State
from core.people.directory import HUB
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx

_T = schema.approval
_WAITING = or_(_T.c.state == "SUBMITTED", _T.c.state == "REVIEWING")
_DUE = Statement(
    select(_T)
    .where(
        or_(
            and_(_WAITING, _T.c.review_expires_at <= bindparam("now")),
            and_(_T.c.state == "APPROVED", _T.c.apply_expires_at <= bindparam("now")),
        )
    )
    .order_by(_T.c.id)
    .limit(50)
)


def _first(column: str, state: str) -> ScalarSelect[int]:
    return select(func.min(_T.c[column])).where(_T.c.state == literal_column(f"'{state}'")).scalar_subquery()


_NEXT = Statement(
    select(
        _first("review_expires_at", "REVIEWING").label("review"),
        _first("review_expires_at", "SUBMITTED").label("submitted"),
        _first("apply_expires_at", "APPROVED").label("apply"),
    )
)


def expire(tx: Tx) -> int:
    """Every request whose deadline passed is EXPIRED, at most 50 at a time; how many."""
    due = [from_row(row) for row in tx.all(_DUE, now=tx.now_us)]
    for approval in due:
        waited = "its start" if approval.state is State.APPROVED else "decisions"
        close(tx, approval, State.EXPIRED, actor=HUB.id, channel=None, why=f"waited too long for {waited}")
    return len(due)


def next_deadline(reader: Reader) -> int | None:
    """When the next request expires, in microseconds since 1970; None when none can."""
    row = reader.one(_NEXT)
    times = [row[name] for name in ("review", "submitted", "apply") if row[name] is not None] if row is not None else []
    return min(times) if times else None
