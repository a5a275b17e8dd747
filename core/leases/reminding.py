"""Locks by command that end soon: each holder is reminded once."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, and_, bindparam, func, select, update

from core.leases.lease import Lease, lease_of
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx

REMIND_US = 300_000_000
"""How long before its end a lock's holder is reminded; a lock that was short from the start gets none."""

_lease = schema.lease
_open = and_(
    _lease.c.state == "held",
    _lease.c.kind == "lock",
    _lease.c.reminded_at.is_(None),
    _lease.c.ttl_us > 2 * REMIND_US,
)
_DUE = Statement(
    select(_lease)
    .where(
        _open,
        _lease.c.free_at > bindparam("now_us", type_=BigInteger()),
        _lease.c.expires_at <= bindparam("until", type_=BigInteger()),
    )
    .order_by(_lease.c.free_at, _lease.c.id)
    .limit(bindparam("most", type_=Integer()))
)
_NEXT = Statement(select(func.min(_lease.c.expires_at).label("first")).where(_open))
_REMINDED = Statement(
    update(_lease).where(_lease.c.id == bindparam("w_id")).values(reminded_at=bindparam("at", type_=BigInteger()))
)


def remind(tx: Tx, most: int = 50) -> list[Lease]:
    """The locks whose holders are to be told now that they end soon; none of them comes back unless it is extended."""
    rows = tx.all(_DUE, now_us=tx.now_us, until=tx.now_us + REMIND_US, most=most)
    for row in rows:
        tx.run(_REMINDED, w_id=row["id"], at=tx.now_us)
    return [lease_of(row) for row in rows]


def next_reminder(reader: Reader) -> int | None:
    """When the next holder is to be reminded, in microseconds by the store's clock; None while there is none."""
    row = reader.one(_NEXT)
    assert row is not None
    return None if row["first"] is None else int(row["first"]) - REMIND_US
