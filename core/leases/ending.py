"""Ends that somebody wants: release, break, and what a run does with its leases. Each hands out what became free."""

from __future__ import annotations

from sqlalchemy import BigInteger, bindparam, null, or_, select, update

from core.errors import Invalid
from core.ids import parse, show
from core.leases.finding import lease_row, own_lease_row, why_lost
from core.leases.granting import insert_names, record_grant
from core.leases.handing import hand_on
from core.leases.lease import Lease, lease_of
from core.leases.resource import names_in
from core.leases.token import take_token
from core.leases.vacating import clear, drop_upgrade, note, vacate
from core.people.directory import HUB
from core.store import schema
from core.store.rows import Row
from core.store.statement import Statement
from core.store.tx import Tx

_lease = schema.lease
_now = bindparam("now_us", type_=BigInteger())
_RELEASE = Statement(
    update(_lease)
    .where(
        _lease.c.id == bindparam("w_id"),
        _lease.c.principal == bindparam("w_principal"),
        or_(_lease.c.token == bindparam("w_token", type_=BigInteger()), bindparam("w_typed", type_=BigInteger()) == 1),
        or_(_lease.c.kind == "lock", bindparam("w_typed", type_=BigInteger()) == 0),
        _lease.c.state == "held",
        _lease.c.expires_at > _now,
    )
    .values(state="ended", ended="released", ended_at=_now)
    .returning(_lease)
)
_CLOSE = Statement(
    update(_lease)
    .where(
        _lease.c.id == bindparam("w_id"),
        or_(_lease.c.state == "held", _lease.c.ended.in_(["reclaimed", "broken"])),
    )
    .values(state="closed", ended=null(), ended_at=null(), expires_at=null(), free_at=null())
    .returning(_lease)
)
_REOCCUPY = Statement(
    update(_lease)
    .where(_lease.c.id == bindparam("w_id"), _lease.c.state == "closed")
    .values(
        state="held",
        holder=bindparam("holder"),
        token=bindparam("token"),
        acquired_at=bindparam("at", type_=BigInteger()),
        heartbeat_at=bindparam("at", type_=BigInteger()),
        renewed_noted_at=bindparam("at", type_=BigInteger()),
        expires_at=bindparam("until", type_=BigInteger()),
        free_at=bindparam("until", type_=BigInteger()) + _lease.c.lock_delay_us,
        ttl_us=bindparam("ttl", type_=BigInteger()),
    )
    .returning(_lease)
)
_BY_ID = Statement(select(_lease).where(_lease.c.id == bindparam("id"), _lease.c.state.in_(["held", "closed"])))
_BY_APPROVAL = Statement(
    select(_lease)
    .where(_lease.c.approval == bindparam("approval"), _lease.c.state.in_(["held", "waiting"]))
    .order_by(_lease.c.id)
)


def release(tx: Tx, principal: str, lock_id: str, token: int | None) -> Lease:
    """The lease is given back and handed on; a lease already released by its holder answers the same again.

    `token` None is for a person who types `unlock L7`, and gives back locks taken by command only. Raises NotFound,
    Conflict (`lease_lost`, `lease_closed`).
    """
    number = parse("L", lock_id)
    typed = token is None
    row = tx.one(_RELEASE, w_id=number, w_principal=principal, w_token=token or 0, w_typed=int(typed), now_us=tx.now_us)
    if row is None:
        row = own_lease_row(tx, principal, lock_id)
        named = row["kind"] == "lock" if typed else row["token"] == token
        if row["ended"] == "released" and named:
            return lease_of(row)
        if typed and row["state"] == "held" and row["kind"] != "lock":
            raise Invalid("token_required", f"{lock_id} was not taken by `lock`; giving it back needs its token")
        raise why_lost(row, tx.now_us)
    clear(tx, number)
    note(tx, row, "lease:released", actor=principal, channel=row["channel"])
    drop_upgrade(tx, row)
    hand_on(tx, row)
    return lease_of(row)


def break_(
    tx: Tx, actor: str, lock_id: str, reason: str, channel: str | None = None, approval: str | None = None
) -> Lease:
    """Another's lease has ended, and is handed on; the caller has checked the right `break`.

    `approval` (`A142`) names the approved request that allowed it, where breaking is subject to approval.
    Raises NotFound, Invalid (`reason_required`), Conflict (`lease_lost` for one that ended or lapsed, `lease_closed`
    for one whose run's outcome is unknown: that one is resolved, not broken).
    """
    if not reason.strip():
        raise Invalid("reason_required", f"say why {lock_id} is broken: its holder will read it")
    row = lease_row(tx, lock_id)
    if row["state"] != "held" or row["expires_at"] <= tx.now_us:
        raise why_lost(row, tx.now_us)
    details = {"approval": approval} if approval is not None else {}
    ended = vacate(
        tx, row, "broken", "lease:broken", actor=actor, channel=channel, details=details, private={"reason": reason}
    )
    if ended is None:
        raise why_lost(lease_row(tx, lock_id), tx.now_us)
    hand_on(tx, row)
    return lease_of(ended)


def end_for_run(tx: Tx, number: int, why: str | None = None) -> bool:
    """The run's lease has ended and is handed on, lapsed or not; False when it had ended before.

    A closed one too: whoever calls this knows how the run ended.
    """
    row = tx.one(_BY_ID, id=number)
    return row is not None and _end(tx, row, why)


def end_for_approval(tx: Tx, approval: int) -> None:
    """What the approval held is released, and what it waited for is given up. Closed leases stay closed."""
    for row in tx.all(_BY_APPROVAL, approval=approval):
        _end(tx, row, None)


def close_for_run(tx: Tx, number: int) -> None:
    """The resources of a run whose outcome is unknown stay closed to everybody until `reopen_for_run`.

    A lease that lapsed or was broken meanwhile closes too: nobody new gets its resources, though somebody may hold
    them already. The entry is the run's own (`apply:unknown`), in the same transaction. Raises Conflict
    (`lease_lost`) for a released one.
    """
    row = tx.one(_CLOSE, w_id=number)
    if row is None:
        row = lease_row(tx, show("L", number))
        if row["state"] == "closed":
            return
        raise why_lost(row, tx.now_us)
    clear(tx, number)
    insert_names(tx, row, names_in(row["resources"]))


def reopen_for_run(tx: Tx, number: int) -> bool:
    """The closed resources are open again and handed on; False when they were not closed."""
    row = tx.one(_BY_ID, id=number)
    return row is not None and row["state"] == "closed" and _end(tx, row, "resolved")


def reoccupy_for_run(tx: Tx, number: int, holder: str, ttl_us: int) -> Lease | None:
    """The closed resources are held again by another run of the same approval, with a new token; None for no closed one.

    Nobody else gets them in between: what a run left in an unknown state is taken back before anybody touches it.
    """
    row = tx.one(
        _REOCCUPY,
        w_id=number,
        holder=holder,
        token=take_token(tx),
        at=tx.now_us,
        until=tx.now_us + ttl_us,
        ttl=ttl_us,
    )
    if row is None:
        return None
    record_grant(tx, row)
    return lease_of(row)


def _end(tx: Tx, row: Row, why: str | None) -> bool:
    details = {"why": why} if why else {}
    if row["state"] == "waiting":
        ended = vacate(tx, row, "cancelled", "lease:cancelled", actor=HUB.id, details=details)
    else:
        ended = vacate(tx, row, "released", "lease:released", actor=HUB.id, details=details)
    if ended is None:
        return False
    hand_on(tx, row)
    return True
