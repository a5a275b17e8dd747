"""How long leases are held lately, for each kind of resource, and what that lets a waiter expect."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import BigInteger, bindparam, insert, select, update

from core.leases.resource import kinds_of, names_in
from core.leases.terms import PACE_WEIGHT
from core.store import schema
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx

_pace = schema.lease_pace
_READ = Statement(select(_pace.c.hold_us).where(_pace.c.kind == bindparam("kind")))
_LEARN = Statement(
    update(_pace)
    .where(_pace.c.kind == bindparam("w_kind"))
    .values(hold_us=(_pace.c.hold_us * (PACE_WEIGHT - 1) + bindparam("held_us", type_=BigInteger())) // PACE_WEIGHT)
)
_NEW = Statement(insert(_pace), ("kind", "hold_us"))


def learn(tx: Tx, row: Row) -> None:
    """The hold of that ended lease, for which somebody waited, counts in the average of its kinds."""
    held_us = max(0, tx.now_us - row["acquired_at"])
    for kind in kinds_of(names_in(row["resources"])):
        if not tx.run(_LEARN, w_kind=kind, held_us=held_us):
            tx.run(_NEW, kind=kind, hold_us=held_us)


def expected_us(reader: Reader, resources: Iterable[str], position: int) -> int | None:
    """How long a waiter at that position probably waits, by the slowest of its kinds; None where nothing is known."""
    rows = [row for kind in kinds_of(resources) if (row := reader.one(_READ, kind=kind)) is not None]
    return max((row["hold_us"] * position for row in rows), default=None)
