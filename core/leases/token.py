"""Fencing tokens and ids: one row counts both, so both grow whatever becomes of leases, clocks and processes."""

from __future__ import annotations

import logging

from sqlalchemy import bindparam, case, insert, update

from core.leases.terms import BELIEVABLE_US
from core.store import schema
from core.store.rows import Row
from core.store.statement import Statement
from core.store.tx import Tx

SHARD = 0

logger = logging.getLogger("interlock.leases")

_shard = schema.shard
_after = _shard.c.last_token + 1
_clock = bindparam("clock_us", type_=_shard.c.last_token.type)
_token = case((_after > _clock, _after), else_=_clock)
_number = _shard.c.last_number + 1
_TOKEN = Statement(update(_shard).where(_shard.c.id == SHARD).values(last_token=_token).returning(_shard.c.last_token))
_NUMBER = Statement(
    update(_shard).where(_shard.c.id == SHARD).values(last_number=_number).returning(_shard.c.last_number)
)
_BOTH = Statement(
    update(_shard)
    .where(_shard.c.id == SHARD)
    .values(last_token=_token, last_number=_number)
    .returning(_shard.c.last_token, _shard.c.last_number)
)
_RAISE_EPOCH = Statement(
    update(_shard)
    .where(_shard.c.id == SHARD)
    .values(
        epoch=_shard.c.epoch + 1,
        last_token=case(
            (_shard.c.last_token > bindparam("seen"), _shard.c.last_token),
            else_=bindparam("seen", type_=_shard.c.last_token.type),
        ),
    )
    .returning(_shard.c.epoch)
)
_NEW = Statement(insert(_shard), ("id", "epoch", "last_token", "last_number"))


def take_token(tx: Tx) -> int:
    """A token above every one that was ever given."""
    return int(_take(tx, _TOKEN, clock_us=_believable(tx.now_us))["last_token"])


def take_number(tx: Tx) -> int:
    """The id of a lease or waiter: above every one that was ever given."""
    return int(_take(tx, _NUMBER)["last_number"])


def take_both(tx: Tx) -> tuple[int, int]:
    """A token, and the id of the lease that is granted with it."""
    row = _take(tx, _BOTH, clock_us=_believable(tx.now_us))
    return int(row["last_token"]), int(row["last_number"])


def _take(tx: Tx, counted: Statement, **values: int) -> Row:
    row = tx.one(counted, **values)
    if row is None:
        tx.run(_NEW, id=SHARD, epoch=1, last_token=0, last_number=0)
        row = tx.one(counted, **values)
        assert row is not None
    return row


def _believable(clock_us: int) -> int:
    if clock_us < BELIEVABLE_US:
        return clock_us
    logger.critical("the store's clock (%d us) is beyond belief; fencing tokens go on by one", clock_us)
    return 0


def raise_epoch(tx: Tx, seen: int = 0) -> int:
    """The next epoch, whose tokens start above `seen` and above every one of the epochs before."""
    return int(_take(tx, _RAISE_EPOCH, seen=seen)["epoch"])
