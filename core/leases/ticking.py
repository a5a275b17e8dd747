"""What time does: lapsed leases and dead waiters are removed, and what they had is handed on."""

from __future__ import annotations

import logging

from sqlalchemy import (
    BigInteger,
    Integer,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)

from core.leases.finding import row_of_number
from core.leases.handing import hand_on, hand_out
from core.leases.resource import names_in
from core.leases.terms import KEEP_ENDED_US, TICK, ages_at
from core.leases.unlocking import keeps_clear
from core.leases.vacating import expire, reclaim
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx

_lease = schema.lease
_due_by = _lease.c.free_at <= bindparam("now_us", type_=BigInteger())
_DUE = Statement(
    select(_lease)
    .where(or_(and_(_lease.c.state == "held", _due_by), and_(_lease.c.state == "waiting", _due_by)))
    .order_by(_lease.c.free_at, _lease.c.id)
    .limit(bindparam("most", type_=Integer()))
)
_AGING = Statement(
    select(_lease.c.id)
    .where(_lease.c.ages_at.is_not(None), _lease.c.ages_at <= bindparam("now_us", type_=BigInteger()))
    .order_by(_lease.c.ages_at, _lease.c.id)
    .limit(bindparam("most", type_=Integer()))
)
_AGED = Statement(
    update(_lease).where(_lease.c.id == bindparam("w_id")).values(ages_at=bindparam("ages_at", type_=BigInteger()))
)
_NEXT = Statement(
    select(
        select(func.min(_lease.c.free_at)).where(_lease.c.state == "held").scalar_subquery().label("held"),
        select(func.min(_lease.c.free_at)).where(_lease.c.state == "waiting").scalar_subquery().label("waiting"),
        select(func.min(_lease.c.ages_at)).where(_lease.c.ages_at.is_not(None)).scalar_subquery().label("aging"),
    )
)
_stalled = bindparam("stalled_us", type_=BigInteger())
_FORGIVE = Statement(
    update(_lease)
    .where(
        _lease.c.state.in_(["held", "waiting"]),
        _lease.c.expires_at > bindparam("w_began", type_=BigInteger()),
        _lease.c.ttl_us < _stalled * 3,
    )
    .values(expires_at=_lease.c.expires_at + _stalled, free_at=_lease.c.free_at + _stalled)
)
_old = select(_lease.c.id).where(
    _lease.c.state == "ended", _lease.c.free_at < bindparam("w_before", type_=BigInteger())
)
_FORGET = Statement(delete(_lease).where(_lease.c.id.in_(_old.limit(bindparam("most", type_=Integer())))))

logger = logging.getLogger("interlock.leases")


def tick(tx: Tx, limit: int = TICK) -> int | None:
    """At most `limit` of what lapsed is gone and handed on, longest lapsed first, and as many who waited long have a
    better class; when to come again, None for never.

    The time is past when more is left.
    """
    for row in tx.all(_DUE, now_us=tx.now_us, most=limit):
        ended = reclaim(tx, row) if row["state"] == "held" else expire(tx, row)
        if ended is not None:
            hand_on(tx, ended)
    for row in tx.all(_AGING, now_us=tx.now_us, most=limit):
        _age(tx, row["id"])
    return next_deadline(tx)


def _age(tx: Tx, number: int) -> None:
    """The waiter has a better class, unless it would wait for itself there, and is granted if it is next with that."""
    row = row_of_number(tx, number)
    if row["state"] != "waiting":
        return
    better = row["rank_class"] - 1
    tx.run(_AGED, w_id=number, ages_at=ages_at(better, row["ages_at"]))
    if keeps_clear(tx, row, (better, row["arrival"])):
        hand_out(tx, names_in(row["resources"]))


def next_deadline(reader: Reader) -> int | None:
    """When the next lease or place lapses, in microseconds by the store's clock; None while there is none."""
    row = reader.one(_NEXT)
    assert row is not None
    return min((at for at in (row["held"], row["waiting"], row["aging"]) if at is not None), default=None)


def forgive(tx: Tx, stalled_us: int) -> int:
    """Leases and places that lived when the writer began to stand still have that time again; how many.

    For the writer's `on_stall`. Nobody could renew while it stood still; only those whose ttl/3 is shorter than the
    stall are moved, because the others still have a heartbeat's time left.
    """
    moved = tx.run(_FORGIVE, stalled_us=stalled_us, w_began=tx.now_us - stalled_us)
    if moved:
        logger.warning("the writer stood still for %.1f s; %d leases and places got that time", stalled_us / 1e6, moved)
    return moved


def forget(tx: Tx, limit: int = 500) -> int:
    """At most `limit` leases that ended long ago no longer answer for their ids; how many."""
    return tx.run(_FORGET, w_before=tx.now_us - KEEP_ENDED_US, most=limit)
