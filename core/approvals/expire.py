"""Deadlines made visible. The guards in every transaction enforce them already; this only says so."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, func, or_, select

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
_NEXT = Statement(
    select(
        func.min(_T.c.review_expires_at).filter(_WAITING).label("review"),
        func.min(_T.c.apply_expires_at).filter(_T.c.state == "APPROVED").label("apply"),
    ).where(or_(_WAITING, _T.c.state == "APPROVED"))
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
    times = [row[name] for name in ("review", "apply") if row[name] is not None] if row is not None else []
    return min(times) if times else None
