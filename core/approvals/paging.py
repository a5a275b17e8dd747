"""The approvals in a state, oldest first, a page at a time: nobody holds all of them at once."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import bindparam, select

from core.approvals.approval import Approval, from_row
from core.approvals.states import State
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement

PAGE = 200

_T = schema.approval
_IN = Statement(
    select(_T)
    .where(_T.c.state == bindparam("state"), _T.c.id > bindparam("after"))
    .order_by(_T.c.id)
    .limit(bindparam("most"))
)


def page_in(reader: Reader, state: State, *, after: int = 0, most: int = PAGE) -> list[Approval]:
    """The first `most` approvals in `state` whose number is above `after`."""
    return [from_row(row) for row in reader.all(_IN, state=str(state), after=after, most=most)]


def each_in(reader: Reader, state: State) -> Iterator[Approval]:
    """Every approval in `state`; one that changes meanwhile may be there or not."""
    after = 0
    while found := page_in(reader, state, after=after):
        yield from found
        after = found[-1].id
