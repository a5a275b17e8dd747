"""Fencing tokens and ranks: one row counts both, so both grow whatever becomes of leases, clocks and processes."""

from __future__ import annotations

import logging
from typing import NamedTuple

from sqlalchemy import bindparam, case, insert, update

from core.leases.terms import ARRIVAL_STEP, BELIEVABLE_US
from core.store import schema
from core.store.statement import Statement
from core.store.tx import Tx

SHARD = 0

logger = logging.getLogger("interlock.leases")

_shard = schema.shard
_after = _shard.c.last_token + 1
_clock = bindparam("clock_us", type_=_shard.c.last_token.type)
_TAKE = Statement(
    update(_shard)
    .where(_shard.c.id == SHARD)
    .values(last_token=case((_after > _clock, _after), else_=_clock), arrival=_shard.c.arrival + ARRIVAL_STEP)
    .returning(_shard.c.last_token, _shard.c.arrival)
)
_ARRIVE = Statement(
    update(_shard)
    .where(_shard.c.id == SHARD)
    .values(arrival=_shard.c.arrival + ARRIVAL_STEP)
    .returning(_shard.c.arrival)
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
_NEW = Statement(insert(_shard), ("id", "epoch", "last_token", "arrival"))


class Turn(NamedTuple):
    """A token of a grant, and the arrival number of the request."""

    token: int
    arrival: int


def take_token(tx: Tx) -> Turn:
    """A token above every one that was ever given, and an arrival number above every earlier one."""
    clock_us = tx.now_us
    if clock_us >= BELIEVABLE_US:
        logger.critical("the store's clock (%d us) is beyond belief; fencing tokens go on by one", clock_us)
        clock_us = 0
    row = tx.one(_TAKE, clock_us=clock_us)
    if row is None:
        _begin(tx)
        row = tx.one(_TAKE, clock_us=clock_us)
        assert row is not None
    return Turn(row["last_token"], row["arrival"])


def take_arrival(tx: Tx) -> int:
    """An arrival number above every earlier one, for a request that has to wait."""
    row = tx.one(_ARRIVE)
    if row is None:
        _begin(tx)
        row = tx.one(_ARRIVE)
        assert row is not None
    arrival: int = row["arrival"]
    return arrival


def raise_epoch(tx: Tx, seen: int = 0) -> int:
    """The next epoch, whose tokens start above `seen` and above every one of the epochs before."""
    row = tx.one(_RAISE_EPOCH, seen=seen)
    if row is None:
        _begin(tx)
        row = tx.one(_RAISE_EPOCH, seen=seen)
        assert row is not None
    epoch: int = row["epoch"]
    return epoch


def _begin(tx: Tx) -> None:
    tx.run(_NEW, id=SHARD, epoch=1, last_token=0, arrival=0)
