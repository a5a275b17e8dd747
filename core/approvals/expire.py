"""Deadlines made visible. The guards in every transaction enforce them already; this only says so."""

from __future__ import annotations

from sqlalchemy import ScalarSelect, bindparam, func, literal_column, select

from core.approvals.approval import from_row
from core.approvals.closing import close
from core.approvals.states import State
from core.people.directory import HUB
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx

MOST = 50
"""Requests that one transaction expires."""

_T = schema.approval
_CLOCKS = {
    State.SUBMITTED: "review_expires_at",
    State.REVIEWING: "review_expires_at",
    State.APPROVED: "apply_expires_at",
}


def _due(state: State, column: str) -> Statement:
    """Whose clock ran out, in the order of the index of state and clock."""
    clock = _T.c[column]
    here = _T.c.state == literal_column(f"'{state}'")
    return Statement(select(_T).where(here, clock <= bindparam("now")).order_by(clock).limit(bindparam("most")))


DUE = {state: _due(state, column) for state, column in _CLOCKS.items()}
"""One statement a state: a single one over all of them would read every open request."""


def _first(state: State) -> ScalarSelect[int]:
    here = _T.c.state == literal_column(f"'{state}'")
    return select(func.min(_T.c[_CLOCKS[state]])).where(here).scalar_subquery()


_NEXT = Statement(select(*(_first(state).label(state.value.lower()) for state in _CLOCKS)))


def expire(tx: Tx) -> int:
    """Every request whose deadline passed is EXPIRED, at most 50 at a time; how many."""
    done = 0
    for state, statement in DUE.items():
        waited = "its start" if state is State.APPROVED else "decisions"
        for row in tx.all(statement, now=tx.now_us, most=MOST - done):
            close(tx, from_row(row), State.EXPIRED, actor=HUB.id, channel=None, why=f"waited too long for {waited}")
            done += 1
    return done


def next_deadline(reader: Reader) -> int | None:
    """When the next request expires, in microseconds since 1970; None when none can."""
    row = reader.one(_NEXT)
    times = [row[state.value.lower()] for state in _CLOCKS] if row is not None else []
    return min((each for each in times if each is not None), default=None)
