"""Everything that is leased at one moment: who holds what, who waits behind whom, and about how long."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Integer, and_, bindparam, or_, select

from core.clock import rfc3339
from core.ids import show
from core.leases.looking import view_of
from core.leases.terms import SILENT
from core.leases.waiting import place_of
from core.store import schema
from core.store.encoding import load
from core.store.rows import Reader, Row
from core.store.statement import Statement

MOST = 500
_SECOND = 1_000_000

_T = schema.lease
_in_time = _T.c.expires_at > bindparam("now_us", type_=BigInteger())
_HELD = Statement(
    select(_T)
    .where(or_(and_(_T.c.state == "held", _in_time), _T.c.state == "closed"))
    .order_by(_T.c.id)
    .limit(bindparam("most", type_=Integer()))
)
_WAITING = Statement(
    select(_T)
    .where(_T.c.state == "waiting", _in_time)
    .order_by(_T.c.rank_class, _T.c.arrival)
    .limit(bindparam("most", type_=Integer()))
)


def picture(reader: Reader) -> dict[str, Any]:
    """`{held: [...], waiting: [...]}`: leases oldest first, waiters best rank first, at most 500 of each.

    A waiter's `behind` names the leases and the tickets that must end first; `estimate_seconds` is None where
    nothing is known of the past. A lease is `silent` when its holder missed two heartbeats; a lock by command needs none.
    """
    now = reader.now_us
    return {
        "held": [_lease_json(row, now) for row in reader.all(_HELD, most=MOST, now_us=now)],
        "waiting": [_ticket_json(reader, row) for row in reader.all(_WAITING, most=MOST, now_us=now)],
    }


def _name(row: Row) -> str:
    return show("T", row["ticket"]) if row["state"] == "waiting" else show("L", row["id"])


def _common(row: Row) -> dict[str, Any]:
    return {
        "resources": load(row["resources"]),
        "mode": row["mode"],
        "holder": row["holder"],
        "principal": row["principal"],
        "purpose": row["purpose"],
        "kind": row["kind"],
        "approval": show("A", row["approval"]) if row["approval"] is not None else None,
    }


def _lease_json(row: Row, now_us: int) -> dict[str, Any]:
    silent_us = now_us - row["heartbeat_at"]
    return {
        **_common(row),
        "lock_id": _name(row),
        "state": row["state"],
        "ttl_seconds": row["ttl_us"] / _SECOND,
        "acquired_at": rfc3339(row["acquired_at"]),
        "heartbeat_at": rfc3339(row["heartbeat_at"]),
        "silent": row["state"] == "held" and row["kind"] != "lock" and silent_us > row["ttl_us"] * SILENT,
        "expires_at": rfc3339(row["expires_at"]) if row["expires_at"] is not None else None,
    }


def _ticket_json(reader: Reader, row: Row) -> dict[str, Any]:
    place = place_of(reader, row)
    return {
        **_common(row),
        "ticket": place.id,
        "position": place.position,
        "behind": [_name(each) for each in view_of(reader, row).obstacles()],
        "queued_at": rfc3339(row["queued_at"]),
        "estimate_seconds": place.expected_seconds,
    }
