"""What is held and who waits, for people and screens."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Integer, and_, bindparam, or_, select

from core.clock import rfc3339
from core.ids import parse, show
from core.leases.finding import row_by_ticket, ticket_row
from core.leases.lease import Holder, Lease, Ticket, holder_of, lease_of, ticket_of
from core.leases.looking import view_of
from core.leases.resource import conflict, names_in
from core.leases.waiting import place_of
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement

_T = schema.lease
_in_time = _T.c.expires_at > bindparam("now_us", type_=BigInteger())
_LIVE = Statement(
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
_BY_ID = Statement(select(_T.c.principal).where(_T.c.id == bindparam("id")))
_OF_APPROVAL = Statement(select(_T).where(_T.c.approval == bindparam("approval"), _T.c.state == "waiting"))


def live(reader: Reader, most: int = 500) -> list[Lease]:
    """Every lease that is in force or closed, oldest first."""
    return [lease_of(row) for row in reader.all(_LIVE, most=most, now_us=reader.now_us)]


def queue(reader: Reader, most: int = 500) -> list[Ticket]:
    """Everybody who waits and keeps asking, best rank first, with their position."""
    rows = reader.all(_WAITING, most=most, now_us=reader.now_us)
    return [place_of(reader, row) for row in rows]


def principal_of(reader: Reader, lock_id: str) -> str | None:
    """Whose that lease is or was; None for one that never was."""
    row = reader.one(_BY_ID, id=parse("L", lock_id))
    return None if row is None else str(row["principal"])


def in_the_way(reader: Reader, ticket: Ticket) -> list[Holder]:
    """Who holds what that place waits for."""
    row = row_by_ticket(reader, parse("T", ticket.id))
    return [] if row is None else [holder_of(each) for each in view_of(reader, row).leases() if not each["lapsed"]]


def ticket_as_it_is(reader: Reader, principal: str, number: int) -> Ticket:
    """The place and what became of it, without speaking for it. Raises NotFound for none of theirs."""
    row = ticket_row(reader, principal, show("T", number))
    return place_of(reader, row) if row["state"] == "waiting" else ticket_of(row)


def holder_json(holder: Holder) -> dict[str, Any]:
    """An item of CONTRACT's `held_by`."""
    return {
        "lock_id": holder.lock_id,
        "holder": holder.holder,
        "principal": holder.principal,
        "since": rfc3339(holder.since),
        "purpose": holder.purpose,
        "expires_at": rfc3339(holder.expires_at) if holder.expires_at is not None else None,
    }


def waiting_for(reader: Reader, approval: int) -> list[dict[str, Any]]:
    """What an approved request waits for: `[{resource, position, held_by}]`, resource by resource."""
    found: list[dict[str, Any]] = []
    for row in reader.all(_OF_APPROVAL, approval=approval):
        view = view_of(reader, row)
        holders = [holder_of(each) for each in view.leases() if not each["lapsed"]]
        position = view.position()
        for resource in names_in(row["resources"]):
            mine = [each for each in holders if any(conflict(resource, theirs) for theirs in each.resources)]
            found.append(
                {
                    "resource": resource,
                    "ticket": show("T", row["ticket"]),
                    "position": position,
                    "held_by": [holder_json(each) for each in mine],
                }
            )
    return found
