"""Becoming the holder: of a new request, or of one that waited."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, bindparam, insert, update

from core.ids import show
from core.leases.lease import Lease, lease_of
from core.leases.request import Acquire
from core.leases.resource import footprint
from core.leases.token import take_token
from core.store import schema
from core.store.encoding import dump, load
from core.store.rows import Row
from core.store.statement import Statement
from core.store.tx import Tx

_lease = schema.lease
_INSERT = Statement(insert(_lease), tuple(column.name for column in _lease.columns))
_INSERT_NAME = Statement(insert(schema.lease_resource), ("resource", "lease", "leaf"))
_GRANT = Statement(
    update(_lease)
    .where(
        _lease.c.id == bindparam("w_id"),
        _lease.c.state == "waiting",
        _lease.c.expires_at > bindparam("w_now", type_=BigInteger()),
    )
    .values(
        state="held",
        token=bindparam("token"),
        acquired_at=bindparam("at", type_=BigInteger()),
        heartbeat_at=bindparam("at", type_=BigInteger()),
        renewed_noted_at=bindparam("at", type_=BigInteger()),
        expires_at=bindparam("expires_at"),
    )
    .returning(_lease)
)

_BLANK: dict[str, Any] = dict.fromkeys(column.name for column in _lease.columns)


def row_of(request: Acquire, number: int, arrival: int) -> dict[str, Any]:
    """The columns that a request fills, whether it is granted or waits."""
    return _BLANK | {
        "id": number,
        "holder": request.holder or show("L", number),
        "principal": request.principal,
        "session": request.session,
        "request_key": request.request_key,
        "channel": request.channel,
        "resources": dump(list(request.resources)),
        "mode": request.mode,
        "rank_class": request.rank_class,
        "arrival": arrival,
        "purpose": request.purpose,
        "ttl_us": request.ttl_us,
        "max_hold_us": request.max_hold_us,
        "approval": request.approval,
        "kind": request.kind,
    }


def insert_row(tx: Tx, row: dict[str, Any], resources: tuple[str, ...]) -> None:
    """The lease or waiter stands in the store, and in the way of others."""
    tx.run(_INSERT, **row)
    insert_names(tx, row["id"], resources)


def insert_names(tx: Tx, number: int, resources: tuple[str, ...]) -> None:
    """The resources of that lease are in the way of others."""
    for name, leaf in footprint(resources).items():
        tx.run(_INSERT_NAME, resource=name, lease=number, leaf=leaf)


def grant_new(tx: Tx, request: Acquire) -> Lease:
    """A request that had nobody in its way is held."""
    turn = take_token(tx)
    row = row_of(request, tx.next_id("lease"), turn.arrival)
    row |= {
        "state": "held",
        "token": turn.token,
        "acquired_at": tx.now_us,
        "heartbeat_at": tx.now_us,
        "renewed_noted_at": tx.now_us,
        "expires_at": tx.now_us + request.ttl_us,
    }
    insert_row(tx, row, request.resources)
    record_grant(tx, row)
    return lease_of(row)


def grant_waiter(tx: Tx, waiter: Row) -> Row:
    """The live waiter, with nobody in its way, is held; its new row."""
    token = take_token(tx).token
    row = tx.one(
        _GRANT, w_id=waiter["id"], w_now=tx.now_us, token=token, at=tx.now_us, expires_at=tx.now_us + waiter["ttl_us"]
    )
    if row is None:
        raise RuntimeError(f"L{waiter['id']} was handed out though it does not wait")
    record_grant(tx, row)
    return row


def record_grant(tx: Tx, row: Row) -> None:
    """The grant is in the log."""
    details: dict[str, Any] = {
        "token": row["token"],
        "resources": load(row["resources"]),
        "mode": row["mode"],
        "holder": row["holder"],
        "ttl_us": row["ttl_us"],
        "expires_at": row["expires_at"],
    }
    if row["ticket"] is not None:
        details["ticket"] = show("T", row["ticket"])
    if row["approval"] is not None:
        details["approval"] = show("A", row["approval"])
    # A waiter's purpose stands in its lease:queued.
    private = {"purpose": row["purpose"]} if row["purpose"] and row["ticket"] is None else None
    tx.record(
        "lease:acquired",
        actor=row["principal"],
        subject=show("L", row["id"]),
        channel=row["channel"],
        details=details,
        private=private,
    )
