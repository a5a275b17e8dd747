"""An approved request as a permit for something that the hub itself does."""

from __future__ import annotations

from sqlalchemy import BigInteger, bindparam, select

from core.approvals.states import State
from core.clock import SECOND
from core.ids import show
from core.store import schema
from core.store.encoding import load
from core.store.rows import Reader
from core.store.statement import Statement

LASTS_US = 24 * 3600 * SECOND
"""How long after it completed a request still permits."""

_T = schema.approval
_OF = Statement(
    select(_T.c.id, _T.c.params)
    .where(
        _T.c.action == bindparam("action"),
        _T.c.requester == bindparam("requester"),
        _T.c.state == State.COMPLETED.value,
        _T.c.closed_at > bindparam("since", type_=BigInteger()),
    )
    .order_by(_T.c.id.desc())
    .limit(100)
)


def permit(reader: Reader, action: str, requester: str, params: dict[str, str]) -> str | None:
    """The newest request of `requester` for `action` with these parameters that completed lately; None for none."""
    for row in reader.all(_OF, action=action, requester=requester, since=reader.now_us - LASTS_US):
        given = load(row["params"])
        if all(given.get(name) == value for name, value in params.items()):
            return show("A", row["id"])
    return None
