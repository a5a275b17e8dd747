"""One lease in place of another, with nobody in between: another mode, or another holder.

A lease's mode and holder never change. What replaces it is a grant of its own, with an id and a token of its own; its
`lease:acquired` says `instead_of`, and is the one entry of both.
"""

from __future__ import annotations

from typing import Any

from core.clock import SECOND
from core.errors import Conflict, Invalid
from core.ids import parse, show
from core.leases.acquiring import check_leases, held
from core.leases.finding import lease_row, own_lease_row, row_by_key, why_lost
from core.leases.granting import blank_row, held_columns, insert_row, record_grant
from core.leases.handing import hand_out
from core.leases.lease import Lease, Ticket, holder_of, lease_of, ticket_of
from core.leases.looking import View
from core.leases.queueing import enqueue
from core.leases.request import Mode
from core.leases.resource import names_in
from core.leases.terms import LIMITS, MAX_WAIT_SECONDS, UPGRADE, LeaseLimits, arrival_of
from core.leases.token import take_number, take_token
from core.leases.vacating import drop_upgrade, set_upgrade, supersede
from core.store.rows import Row
from core.store.tx import Tx

_KEPT = (
    "session",
    "resources",
    "ttl_us",
    "lock_delay_us",
    "purpose",
    "approval",
    "kind",
    "channel",
)


def convert(
    tx: Tx,
    principal: str,
    lock_id: str,
    token: int,
    mode: Mode,
    *,
    wait_seconds: float = 0.0,
    request_key: str | None = None,
    limits: LeaseLimits = LIMITS,
) -> Lease | Ticket:
    """The resources are held in that mode, by another lease in place of this one; or an upgrade waits for it.

    To shared at once, and those who can share come in. To exclusive once nobody else holds: while it waits the shared
    lease stays, needs its heartbeats, and if it ends the place ends with it. Raises NotFound, Conflict (`lease_lost`,
    `lease_closed`, `held`, `queue_full`), Invalid. A ticket may be `refused`: of two who share and both want to be
    alone one has to give way.
    """
    if mode not in ("exclusive", "shared"):
        raise Invalid("bad_mode", f"the mode {mode!r} is unknown; it is exclusive or shared")
    if not 0 <= wait_seconds <= MAX_WAIT_SECONDS:
        raise Invalid("bad_wait", f"a wait is between 0 and 30 days, not {wait_seconds:g} seconds")
    if request_key is not None and (repeated := row_by_key(tx, principal, request_key)) is not None:
        return _repeated(repeated, lock_id, mode)
    row = _in_force(tx, own_lease_row(tx, principal, lock_id), token)
    if row["mode"] == mode:
        return lease_of(row)
    new = _successor(tx, row) | {"mode": mode, "request_key": request_key}
    if mode == "shared":
        return _replace(tx, row, new, "converted")
    resources = names_in(row["resources"])
    view = View(tx, resources=resources, mode=mode, rank_class=UPGRADE, replaces=row["id"])
    in_the_way = [each for each in view.leases() if not each["lapsed"]]
    if not in_the_way and not view.waiters(most=1):
        return _replace(tx, row, new, "converted")
    if not wait_seconds:
        raise held(resources, [holder_of(each) for each in in_the_way])
    if row["upgrade"] is not None:
        raise Conflict("already_waiting", f"{lock_id} already waits to be exclusive")
    new |= {"arrival": arrival_of(new["id"]), "rank_class": UPGRADE}
    set_upgrade(tx, row["id"], new["id"])
    return enqueue(tx, new, round(wait_seconds * SECOND), limits)


def transfer(
    tx: Tx,
    actor: str,
    lock_id: str,
    to: str,
    *,
    token: int | None = None,
    holder: str | None = None,
    any_owner: bool = False,
    channel: str | None = None,
    limits: LeaseLimits = LIMITS,
) -> Lease:
    """`to` holds the resources, by another lease in place of this one; a lock still ends when it ended.

    The holder gives it away with its token, a lock by command without. `any_owner` is for somebody with the right
    `break`, which the caller has checked. `holder` is the new one's name; without it the lease is its own holder.
    Raises NotFound, Conflict (`lease_lost`, `lease_closed`, `too_many_leases`), Invalid (`token_required`,
    `not_transferable` for the lease of a run).
    """
    row = lease_row(tx, lock_id) if any_owner else own_lease_row(tx, actor, lock_id)
    if row["kind"] == "run":
        raise Invalid("not_transferable", f"{lock_id} belongs to a run; it ends with it")
    if token is None and not any_owner and row["kind"] != "lock":
        raise Invalid("token_required", f"{lock_id} was not taken by `lock`; giving it away needs its token")
    row = _in_force(tx, row, row["token"] if token is None else token)
    if to == row["principal"] and holder is None:
        return lease_of(row)
    check_leases(tx, to, limits)
    new = _successor(tx, row)
    new |= {"principal": to, "holder": holder or show("L", new["id"]), "session": None}
    return _replace(tx, row, new, "transferred", actor=actor, channel=channel)


def _repeated(row: Row, lock_id: str, mode: Mode) -> Lease | Ticket:
    if row["mode"] != mode or row["replaces"] != parse("L", lock_id):
        raise Invalid("key_reused", "this request key stands for another request; use a new one")
    return lease_of(row) if row["ticket"] is None else ticket_of(row)


def _in_force(tx: Tx, row: Row, token: int) -> Row:
    if row["state"] != "held" or row["token"] != token or row["expires_at"] <= tx.now_us:
        raise why_lost(row, tx.now_us)
    return row


def _successor(tx: Tx, row: Row) -> dict[str, Any]:
    """The columns of a lease in place of `row`, not yet granted: what is left of its longest hold is left to it."""
    return (
        blank_row()
        | {name: row[name] for name in _KEPT}
        | {
            "id": take_number(tx),
            "principal": row["principal"],
            "holder": row["holder"],
            "mode": row["mode"],
            "rank_class": row["rank_class"],
            "arrival": row["arrival"],
            "replaces": row["id"],
            "max_hold_us": row["acquired_at"] + row["max_hold_us"] - tx.now_us,
        }
    )


def _replace(
    tx: Tx, row: Row, new: dict[str, Any], how: str, actor: str | None = None, channel: str | None = None
) -> Lease:
    """`new` is held where `row` was, and whoever can stand beside it now was let in."""
    supersede(tx, row, how)
    drop_upgrade(tx, row)
    lives_us = min(new["ttl_us"], new["max_hold_us"])
    if row["kind"] == "lock":
        lives_us = row["expires_at"] - tx.now_us
    new |= held_columns(tx, take_token(tx), lives_us, new["lock_delay_us"])
    resources = names_in(row["resources"])
    insert_row(tx, new, resources)
    record_grant(tx, new, actor, channel)
    hand_out(tx, resources)
    return lease_of(new)
