"""A place in the queue: asking for it, which keeps it alive, and giving it up."""

from __future__ import annotations

from sqlalchemy import BigInteger, bindparam, update

from core.errors import Conflict
from core.ids import parse, show
from core.leases.finding import ticket_row
from core.leases.handing import alive, hand_on, hand_to
from core.leases.lease import Ticket, ticket_of
from core.leases.looking import position_of
from core.leases.pace import expected_us
from core.leases.resource import names_in
from core.leases.terms import place_us
from core.leases.vacating import expire, vacate
from core.store import schema
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx

_lease = schema.lease
_KEEP = Statement(
    update(_lease)
    .where(
        _lease.c.id == bindparam("w_id"),
        _lease.c.state == "waiting",
        _lease.c.expires_at > bindparam("w_now", type_=BigInteger()),
    )
    .values(expires_at=bindparam("expires_at"), free_at=bindparam("expires_at"))
    .returning(_lease)
)


def poll(tx: Tx, principal: str, ticket: str) -> Ticket:
    """The place as it is now. One that waits lives for another place time, and is granted if nobody is in its way.

    Raises NotFound for none of theirs.
    """
    row = ticket_row(tx, principal, ticket)
    if row["state"] != "waiting":
        return ticket_of(row)
    kept = tx.one(_KEEP, w_id=row["id"], w_now=tx.now_us, expires_at=_until(row, tx.now_us))
    if kept is None or not alive(tx, kept):
        return ticket_of(_lapse(tx, row))
    granted = hand_to(tx, kept)
    return place_of(tx, kept) if granted is None else ticket_of(granted)


def place_of(reader: Reader, row: Row) -> Ticket:
    """The ticket of a row that waits: where it stands, and how long it probably will."""
    position = position_of(reader, row)
    return ticket_of(row, position, expected_us(reader, names_in(row["resources"]), position))


def cancel(tx: Tx, principal: str, ticket: str, channel: str | None = None) -> Ticket:
    """The place is given up; one that is gone already answers what became of it.

    Raises NotFound, and Conflict (`already_granted`) with the lock id: that one is released, not cancelled.
    """
    row = ticket_row(tx, principal, ticket)
    if row["token"] is not None:
        lock_id = show("L", row["id"])
        raise Conflict(
            "already_granted",
            f"{show('T', parse('T', ticket))} was granted as {lock_id}; release that",
            lock_id=lock_id,
        )
    if row["state"] != "waiting":
        return ticket_of(row)
    ended = vacate(tx, row, "cancelled", "lease:cancelled", actor=principal, channel=channel, details={"why": "asked"})
    assert ended is not None
    hand_on(tx, row)
    return ticket_of(ended)


def _until(row: Row, now_us: int) -> int:
    """When the place lapses, asked for now: in its place time, within the whole wait, never sooner than it was."""
    until: int = max(row["expires_at"], min(row["wait_until"], now_us + place_us(row["ttl_us"])))
    return until


def _lapse(tx: Tx, row: Row) -> Row:
    ended = expire(tx, row)
    assert ended is not None
    hand_on(tx, row)
    return ended
