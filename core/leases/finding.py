"""Finding a lease or a place by what names it, and saying why an operation on it cannot be."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from core.errors import Conflict
from core.ids import missing, parse, show
from core.store import schema
from core.store.rows import Reader, Row
from core.store.statement import Statement

_lease = schema.lease
_ENDS = {
    "released": "was released",
    "reclaimed": "lapsed and was reclaimed",
    "broken": "was broken",
    "converted": "was converted into another",
    "transferred": "was handed to somebody else",
}
_BY_ID = Statement(select(_lease).where(_lease.c.id == bindparam("id")))
_OLD_TICKET = Statement(select(_lease).where(_lease.c.ticket == bindparam("ticket"), _lease.c.ticket != _lease.c.id))
_BY_KEY = Statement(
    select(_lease).where(_lease.c.principal == bindparam("principal"), _lease.c.request_key == bindparam("request_key"))
)


def lease_row(reader: Reader, lock_id: str) -> Row:
    """The row of that lease, whatever became of it. Raises NotFound; also for one that was never granted."""
    number = parse("L", lock_id)
    row = reader.one(_BY_ID, id=number)
    if row is None or row["token"] is None:
        raise missing("L", number)
    return row


def own_lease_row(reader: Reader, principal: str, lock_id: str) -> Row:
    """The row of that lease of `principal`. Raises NotFound, also for another's."""
    row = lease_row(reader, lock_id)
    if row["principal"] != principal:
        raise missing("L", row["id"])
    return row


def ticket_row(reader: Reader, principal: str, ticket: str) -> Row:
    """The row of that place of `principal`. Raises NotFound, also for another's."""
    number = parse("T", ticket)
    row = row_by_ticket(reader, number)
    if row is None or row["principal"] != principal:
        raise missing("T", number)
    return row


def row_by_ticket(reader: Reader, number: int) -> Row | None:
    """The row of the place that goes by that number, if any: mostly the lease's own."""
    row = reader.one(_BY_ID, id=number)
    return row if row is not None and row["ticket"] == number else reader.one(_OLD_TICKET, ticket=number)


def row_by_key(reader: Reader, principal: str, request_key: str) -> Row | None:
    """The row that `principal` made with that key, if any."""
    return reader.one(_BY_KEY, principal=principal, request_key=request_key)


def why_lost(row: Row, now_us: int) -> Conflict:
    """The refusal for a lease on which the caller cannot act (any more)."""
    name = show("L", row["id"])
    if row["state"] == "closed":
        return Conflict(
            "lease_closed", f"{name} is closed: its run's outcome is unknown, and a person has to resolve it"
        )
    if row["state"] == "ended":
        return Conflict("lease_lost", f"{name} {_ENDS[row['ended']]}", ended=row["ended"])
    if row["expires_at"] <= now_us:
        return Conflict("lease_lost", f"{name} has lapsed: nobody renewed it in time", ended="reclaimed")
    return Conflict("lease_lost", f"the token is not the one of {name}")


def row_of_number(reader: Reader, number: int) -> Row:
    """The row of a lease or waiter that is known to be there."""
    row = reader.one(_BY_ID, id=number)
    assert row is not None
    return row
