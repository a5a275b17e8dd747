"""Ending one lease or one waiter's place. Who calls this hands out what became free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, func, null, select, update

from core.ids import show
from core.leases.resource import names_in
from core.people.directory import HUB
from core.store import schema
from core.store.rows import Row
from core.store.statement import Statement
from core.store.tx import Tx

_lease = schema.lease
_END = Statement(
    update(_lease)
    .where(_lease.c.id == bindparam("w_id"), _lease.c.state == bindparam("w_state"))
    .values(
        state="ended",
        ended=bindparam("how"),
        ended_at=bindparam("at", type_=BigInteger()),
        ages_at=null(),
        # A closed one has no time; as every ended one it needs one, to be forgotten by.
        expires_at=func.coalesce(_lease.c.expires_at, bindparam("at", type_=BigInteger())),
        free_at=func.coalesce(_lease.c.free_at, bindparam("at", type_=BigInteger())),
    )
    .returning(_lease)
)
_PLACE = Statement(select(_lease).where(_lease.c.id == bindparam("id"), _lease.c.state == "waiting"))
_SET_UPGRADE = Statement(update(_lease).where(_lease.c.id == bindparam("w_id")).values(upgrade=bindparam("place")))
_CLEAR = Statement(delete(schema.lease_resource).where(schema.lease_resource.c.lease == bindparam("w_lease")))


def vacate(
    tx: Tx,
    row: Row,
    how: str,
    event: str,
    *,
    actor: str,
    channel: str | None = None,
    details: Mapping[str, Any] | None = None,
    private: Mapping[str, Any] | None = None,
) -> Row | None:
    """The lease or place of `row` has ended as `how`, and the log says so; None when it was no longer as in `row`."""
    ended = tx.one(_END, w_id=row["id"], w_state=row["state"], how=how, at=tx.now_us)
    if ended is not None:
        clear(tx, ended["id"])
        note(tx, ended, event, actor=actor, channel=channel, details=details, private=private)
        drop_upgrade(tx, ended)
    return ended


def supersede(tx: Tx, row: Row, how: str) -> None:
    """The lease has ended as `how` because another takes its place; that one's grant is the entry of both."""
    ended = tx.one(_END, w_id=row["id"], w_state="held", how=how, at=tx.now_us)
    if ended is None:
        raise RuntimeError(f"L{row['id']} was replaced though it is not held")
    clear(tx, row["id"])


def drop_upgrade(tx: Tx, row: Row) -> None:
    """The place that waited to replace the ended lease of that row is gone too."""
    if row["upgrade"] is None:
        return
    place = tx.one(_PLACE, id=row["upgrade"])
    if place is not None:
        vacate(tx, place, "expired", "lease:cancelled", actor=HUB.id, details={"why": "its lease ended"})


def set_upgrade(tx: Tx, number: int, place: int) -> None:
    """The waiting place is to replace that lease, and ends with it."""
    tx.run(_SET_UPGRADE, w_id=number, place=place)


def clear(tx: Tx, number: int) -> None:
    """The resources of that lease are in nobody's way."""
    tx.run(_CLEAR, w_lease=number)


def note(
    tx: Tx,
    row: Row,
    event: str,
    *,
    actor: str,
    channel: str | None = None,
    details: Mapping[str, Any] | None = None,
    private: Mapping[str, Any] | None = None,
) -> None:
    """The end of that lease or place is in the log."""
    about: dict[str, Any] = {"resources": list(names_in(row["resources"])), "holder": row["holder"]}
    if row["token"] is not None:
        about["token"] = row["token"]
    elif row["ticket"] is not None:
        about["ticket"] = show("T", row["ticket"])
    if actor != row["principal"]:
        about["principal"] = row["principal"]
    tx.record(
        event,
        actor=actor,
        subject=show("L", row["id"]),
        channel=channel,
        details=about | dict(details or {}),
        private=private,
    )


def reclaim(tx: Tx, row: Row) -> Row | None:
    """The lease that nobody renewed in time has ended."""
    return vacate(tx, row, "reclaimed", "lease:reclaimed", actor=HUB.id)


def expire(tx: Tx, row: Row) -> Row | None:
    """The place that nobody asked for in time is gone."""
    return vacate(tx, row, "expired", "lease:cancelled", actor=HUB.id, details={"why": "expired"})
