"""More time for a lock by command, which has no heartbeats."""

from __future__ import annotations

from sqlalchemy import BigInteger, bindparam, null, update

from core.clock import SECOND
from core.errors import Conflict, Invalid
from core.ids import show
from core.leases.finding import own_lease_row, why_lost
from core.leases.lease import Lease, lease_of
from core.leases.terms import MAX_TTL_SECONDS
from core.store import schema
from core.store.statement import Statement
from core.store.tx import Tx

_lease = schema.lease
_until = bindparam("until", type_=BigInteger())
_EXTEND = Statement(
    update(_lease)
    .where(
        _lease.c.id == bindparam("w_id"),
        _lease.c.state == "held",
        _lease.c.expires_at > bindparam("now_us", type_=BigInteger()),
    )
    .values(expires_at=_until, free_at=_until + _lease.c.lock_delay_us, reminded_at=null())
    .returning(_lease)
)


def extend(tx: Tx, principal: str, lock_id: str, seconds: float, channel: str | None = None) -> Lease:
    """The lock ends that much later, at most 24 h from now; its holder will be reminded again.

    Raises NotFound, Conflict (`lease_lost`, `lease_closed`, `too_long`), Invalid (`bad_duration`; `not_a_lock` for a
    lease that lives by heartbeats).
    """
    row = own_lease_row(tx, principal, lock_id)
    if row["kind"] != "lock":
        raise Invalid("not_a_lock", f"{lock_id} lives by heartbeats; only a lock is extended")
    if seconds <= 0:
        raise Invalid("bad_duration", "extend by some time, like 30m")
    if row["state"] != "held" or row["expires_at"] <= tx.now_us:
        raise why_lost(row, tx.now_us)
    until = row["expires_at"] + round(seconds * SECOND)
    if until > tx.now_us + MAX_TTL_SECONDS * SECOND:
        raise Conflict("too_long", f"{lock_id} would last for more than 24 hours from now")
    extended = tx.one(_EXTEND, w_id=row["id"], now_us=tx.now_us, until=until)
    assert extended is not None
    tx.record(
        "lease:renewed",
        actor=principal,
        subject=show("L", row["id"]),
        channel=channel,
        details={"token": extended["token"], "expires_at": until},
    )
    return lease_of(extended)
