"""Becoming the holder: of a new request, or of one that waited."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, bindparam, insert, null, select, update

from core.ids import show
from core.leases.lease import Lease, lease_of
from core.leases.request import Acquire
from core.leases.resource import footprint, names_in
from core.leases.terms import arrival_of
from core.leases.token import take_both, take_token
from core.leases.vacating import supersede
from core.store import schema
from core.store.encoding import dump
from core.store.rows import Row
from core.store.statement import Statement
from core.store.tx import Tx

_lease = schema.lease
_INSERT = Statement(insert(_lease), tuple(column.name for column in _lease.columns))
_names = schema.lease_resource
_INSERT_NAME = Statement(insert(_names), tuple(column.name for column in _names.columns))
_HOLD_NAMES = Statement(update(_names).where(_names.c.lease == bindparam("w_lease")).values(waiting=0))
_GRANTED = ("state", "token", "acquired_at", "heartbeat_at", "renewed_noted_at", "expires_at", "free_at", "max_hold_us")
_GRANT = Statement(
    update(_lease)
    .where(
        _lease.c.id == bindparam("w_id"),
        _lease.c.state == "waiting",
        _lease.c.expires_at > bindparam("w_now", type_=BigInteger()),
    )
    .values({name: bindparam(name) for name in _GRANTED} | {"ages_at": null()})
)
_REPLACED = Statement(select(_lease).where(_lease.c.id == bindparam("id"), _lease.c.state == "held"))

_BLANK: dict[str, Any] = dict.fromkeys(column.name for column in _lease.columns) | {"lock_delay_us": 0}


def blank_row() -> dict[str, Any]:
    """Every column of a lease, without a value; no delay after it lapsed."""
    return _BLANK.copy()


def row_of(request: Acquire, number: int) -> dict[str, Any]:
    """The columns that a request fills, whether it is granted or waits."""
    return blank_row() | {
        "id": number,
        "holder": request.holder or show("L", number),
        "principal": request.principal,
        "session": request.session,
        "request_key": request.request_key,
        "channel": request.channel,
        "resources": dump(list(request.resources)),
        "mode": request.mode,
        "rank_class": request.rank_class,
        "arrival": arrival_of(number),
        "purpose": request.purpose,
        "ttl_us": request.ttl_us,
        "max_hold_us": request.max_hold_us,
        "lock_delay_us": request.lock_delay_us,
        "approval": request.approval,
        "kind": request.kind,
    }


def insert_row(tx: Tx, row: dict[str, Any], resources: tuple[str, ...]) -> None:
    """The lease or waiter stands in the store, and in the way of others."""
    tx.run(_INSERT, **row)
    insert_names(tx, row, resources)


def insert_names(tx: Tx, row: Row, resources: Iterable[str]) -> None:
    """The resources of that lease or waiter are in the way of others."""
    for name, leaf in footprint(resources).items():
        tx.run(
            _INSERT_NAME,
            resource=name,
            waiting=int(row["state"] == "waiting"),
            rank_class=row["rank_class"],
            arrival=row["arrival"],
            lease=row["id"],
            leaf=leaf,
            shared=int(row["mode"] == "shared"),
        )


def held_columns(tx: Tx, token: int, ttl_us: int, lock_delay_us: int) -> dict[str, Any]:
    """The columns of a lease that is granted now."""
    return {
        "state": "held",
        "token": token,
        "acquired_at": tx.now_us,
        "heartbeat_at": tx.now_us,
        "renewed_noted_at": tx.now_us,
        "expires_at": tx.now_us + ttl_us,
        "free_at": tx.now_us + ttl_us + lock_delay_us,
    }


def grant_new(tx: Tx, request: Acquire) -> Lease:
    """A request that had nobody in its way is held."""
    token, number = take_both(tx)
    row = row_of(request, number)
    row |= held_columns(tx, token, request.ttl_us, request.lock_delay_us)
    insert_row(tx, row, request.resources)
    record_grant(tx, row)
    return lease_of(row)


def grant_waiter(tx: Tx, waiter: Row) -> Row:
    """The live waiter, with nobody in its way, is held; its new row. The lease that it replaces has ended."""
    left = waiter["max_hold_us"]
    replaced = replaced_by(tx, waiter)
    if replaced is not None:
        left = replaced["acquired_at"] + replaced["max_hold_us"] - tx.now_us
        supersede(tx, replaced, "converted")
    lives_us = min(waiter["ttl_us"], left)
    new = held_columns(tx, take_token(tx), lives_us, waiter["lock_delay_us"]) | {"max_hold_us": left}
    if not tx.run(_GRANT, w_id=waiter["id"], w_now=tx.now_us, **new):
        raise RuntimeError(f"L{waiter['id']} was handed out though it does not wait")
    row = {**waiter, **new, "ages_at": None}
    tx.run(_HOLD_NAMES, w_lease=row["id"])
    record_grant(tx, row)
    return row


def replaced_by(tx: Tx, waiter: Row) -> Row | None:
    """The held lease in whose place that waiter will be; None for a waiter that replaces none."""
    return None if waiter["replaces"] is None else tx.one(_REPLACED, id=waiter["replaces"])


def record_grant(tx: Tx, row: Row, actor: str | None = None, channel: str | None = None) -> None:
    """The grant is in the log, as its holder's doing unless `actor` says whose."""
    details: dict[str, Any] = {
        "token": row["token"],
        "resources": list(names_in(row["resources"])),
        "mode": row["mode"],
        "holder": row["holder"],
        "ttl_us": row["ttl_us"],
        "expires_at": row["expires_at"],
    }
    if row["replaces"] is not None:
        details["instead_of"] = show("L", row["replaces"])
    if row["lock_delay_us"]:
        details["lock_delay_us"] = row["lock_delay_us"]
    if actor is not None and actor != row["principal"]:
        details["principal"] = row["principal"]
    if row["ticket"] is not None:
        details["ticket"] = show("T", row["ticket"])
    if row["approval"] is not None:
        details["approval"] = show("A", row["approval"])
    # A waiter's purpose stands in its lease:queued.
    private = {"purpose": row["purpose"]} if row["purpose"] and row["ticket"] is None else None
    tx.record(
        "lease:acquired",
        actor=actor or row["principal"],
        subject=show("L", row["id"]),
        channel=channel or row["channel"],
        details=details,
        private=private,
    )
