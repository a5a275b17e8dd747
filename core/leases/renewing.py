"""Heartbeats: a held lease gets its whole ttl again, within its longest hold. A lapsed one never comes back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, bindparam, case, or_, update

from core.errors import Invalid
from core.ids import parse, show
from core.leases.finding import own_lease_row, why_lost
from core.leases.lease import Lease, lease_of
from core.leases.terms import MAX_BATCH, SAMPLE_US
from core.store import schema
from core.store.rows import Row
from core.store.statement import Statement
from core.store.tx import Tx

_lease = schema.lease
_now = bindparam("now_us", type_=BigInteger())


def _until() -> ColumnElement[int]:
    """The time after a heartbeat: a ttl from now, within the longest hold, never less than it was."""
    wanted = _now + _lease.c.ttl_us
    longest = _lease.c.acquired_at + _lease.c.max_hold_us
    capped = case((wanted > longest, longest), else_=wanted)
    return case((capped > _lease.c.expires_at, capped), else_=_lease.c.expires_at)


def _renew(*guards: ColumnElement[bool]) -> Statement:
    return Statement(
        update(_lease)
        .where(_lease.c.principal == bindparam("w_principal"), _lease.c.state == "held", _lease.c.expires_at > _now)
        .where(*guards)
        .values(heartbeat_at=_now, expires_at=_until(), free_at=_until() + _lease.c.lock_delay_us)
        .returning(_lease)
    )


_ONE = _renew(_lease.c.id == bindparam("w_id"), _lease.c.token == bindparam("w_token"))
_NOTED = Statement(
    update(_lease).where(_lease.c.id == bindparam("w_id")).values(renewed_noted_at=bindparam("at", type_=BigInteger()))
)


@lru_cache(maxsize=16)
def _many(size: int) -> Statement:
    pairs = [
        and_(_lease.c.id == bindparam(f"i{at}"), _lease.c.token == bindparam(f"t{at}", type_=BigInteger()))
        for at in range(size)
    ]
    numbers: list[Any] = [bindparam(f"i{at}") for at in range(size)]
    return _renew(_lease.c.id.in_(numbers), _lease.c.session == bindparam("w_session"), or_(*pairs))


def heartbeat(tx: Tx, principal: str, lock_id: str, token: int) -> Lease:
    """The lease lives for another ttl. Raises NotFound for none of theirs, Conflict (`lease_lost`, `lease_closed`)."""
    row = tx.one(_ONE, w_id=parse("L", lock_id), w_principal=principal, w_token=token, now_us=tx.now_us)
    if row is None:
        raise why_lost(own_lease_row(tx, principal, lock_id), tx.now_us)
    return _sampled(tx, row)


def heartbeat_session(tx: Tx, principal: str, session: str, held: Sequence[tuple[str, int]]) -> list[Lease]:
    """Those of the (lock id, token) pairs that `session` still holds live for another ttl; what is missing is lost.

    Raises Invalid (`batch_too_large`) beyond MAX_BATCH pairs.
    """
    if len(held) > MAX_BATCH:
        raise Invalid("batch_too_large", f"at most {MAX_BATCH} leases are renewed at once, not {len(held)}")
    if not held:
        return []
    pairs = [(parse("L", lock_id), token) for lock_id, token in held]
    size = 1 << (len(pairs) - 1).bit_length()
    pairs += [pairs[-1]] * (size - len(pairs))
    values = {f"i{at}": number for at, (number, _) in enumerate(pairs)}
    values |= {f"t{at}": token for at, (_, token) in enumerate(pairs)}
    rows = tx.all(_many(size), w_principal=principal, w_session=session, now_us=tx.now_us, **values)
    return [_sampled(tx, row) for row in sorted(rows, key=lambda row: int(row["id"]))]


def _sampled(tx: Tx, row: Row) -> Lease:
    """The lease of a renewed row, whose renewal is in the log if none was for a while."""
    if row["renewed_noted_at"] <= tx.now_us - SAMPLE_US:
        tx.run(_NOTED, w_id=row["id"], at=tx.now_us)
        tx.record(
            "lease:renewed",
            actor=row["principal"],
            subject=show("L", row["id"]),
            channel=row["channel"],
            details={"token": row["token"], "expires_at": row["expires_at"]},
        )
    return lease_of(row)
