"""Everything that is leased at one moment: who holds what, who waits behind whom, and about how long."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Integer, and_, bindparam, or_, select

from core.clock import rfc3339
from core.ids import show
from core.leases.forecast import Held, Past, Waiter, forecast
from core.leases.looking import obstacles_of, position_of
from core.store import schema
from core.store.encoding import load
from core.store.rows import Reader, Row
from core.store.statement import Statement

MOST = 500
_PAST = 200
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
_ENDED = Statement(
    select(_T.c.resources, _T.c.acquired_at, _T.c.ended_at)
    .where(_T.c.state == "ended", _T.c.acquired_at.is_not(None), _T.c.ended_at.is_not(None))
    .order_by(_T.c.id.desc())
    .limit(bindparam("most", type_=Integer()))
)


def picture(reader: Reader) -> dict[str, Any]:
    """`{held: [...], waiting: [...]}`: leases oldest first, waiters best rank first, at most 500 of each.

    A waiter's `behind` names the leases and the tickets that must end first; `estimate_seconds` is None where
    nobody can say.
    """
    now = reader.now_us
    held = reader.all(_HELD, most=MOST, now_us=now)
    waiting = reader.all(_WAITING, most=MOST, now_us=now)
    past = [
        Past(resources=tuple(load(row["resources"])), seconds=(row["ended_at"] - row["acquired_at"]) / _SECOND)
        for row in reader.all(_ENDED, most=_PAST)
    ]
    behind = {row["id"]: _behind(reader, row) for row in waiting}
    turns = forecast(
        [_held(row, now) for row in held],
        [
            Waiter(name=_name(row), resources=tuple(load(row["resources"])), behind=tuple(behind[row["id"]]))
            for row in waiting
        ],
        past,
    )
    return {
        "held": [_lease_json(row) for row in held],
        "waiting": [
            _ticket_json(row, position_of(reader, row), behind[row["id"]], turns[_name(row)]) for row in waiting
        ],
    }


def _name(row: Row) -> str:
    return show("T", row["ticket"]) if row["state"] == "waiting" else show("L", row["id"])


def _behind(reader: Reader, row: Row) -> list[str]:
    return [_name(each) for each in obstacles_of(reader, row) if not each["lapsed"]]


def _held(row: Row, now: int) -> Held:
    return Held(
        name=_name(row),
        resources=tuple(load(row["resources"])),
        seconds=(now - row["acquired_at"]) / _SECOND,
        at_most=(row["expires_at"] - now) / _SECOND if row["kind"] == "lock" and row["expires_at"] else None,
        closed=row["state"] == "closed",
    )


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


def _lease_json(row: Row) -> dict[str, Any]:
    return {
        **_common(row),
        "lock_id": _name(row),
        "state": row["state"],
        "ttl_seconds": row["ttl_us"] / _SECOND,
        "acquired_at": rfc3339(row["acquired_at"]),
        "heartbeat_at": rfc3339(row["heartbeat_at"]),
        "expires_at": rfc3339(row["expires_at"]) if row["expires_at"] is not None else None,
    }


def _ticket_json(row: Row, position: int, behind: list[str], estimate: float | None) -> dict[str, Any]:
    return {
        **_common(row),
        "ticket": _name(row),
        "position": position,
        "behind": behind,
        "queued_at": rfc3339(row["queued_at"]),
        "estimate_seconds": estimate,
    }
