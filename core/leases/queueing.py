"""Beginning to wait: a place in the queue, unless the request would wait for itself."""

from __future__ import annotations

from typing import Any

from core.errors import Conflict
from core.leases.finding import row_of_number
from core.leases.granting import insert_row
from core.leases.handing import hand_out
from core.leases.lease import Lease, Ticket, lease_of, ticket_of
from core.leases.looking import view_of
from core.leases.pace import expected_us
from core.leases.resource import names_in
from core.leases.terms import RUN, LeaseLimits, ages_at, place_us
from core.leases.unlocking import resolve
from core.leases.vacating import note
from core.leases.waiting import place_of
from core.store.rows import Row
from core.store.tx import Tx


def enqueue(tx: Tx, row: dict[str, Any], wait_us: int, limits: LeaseLimits) -> Lease | Ticket:
    """The request of that new row waits; its ticket, `refused` when it closed a deadlock and was the one to give way.

    The lease when a deadlock was solved by letting it go first and nobody is in its way any more. Raises Conflict
    (`queue_full`).
    """
    wait_until = tx.now_us + wait_us
    expires_at = min(wait_until, tx.now_us + place_us(row["ttl_us"]))
    row |= {
        "state": "waiting",
        "ticket": row["id"],
        "queued_at": tx.now_us,
        "wait_until": wait_until,
        "expires_at": expires_at,
        "free_at": expires_at,
        "ages_at": ages_at(row["rank_class"], tx.now_us),
    }
    resources: tuple[str, ...] = names_in(row["resources"])
    position = view_of(tx, row).position()
    if position > limits.queue and row["rank_class"] > RUN:
        raise Conflict("queue_full", f"{limits.queue} others wait for {', '.join(resources)}; ask again later")
    insert_row(tx, row, resources)
    private = {"purpose": row["purpose"]} if row["purpose"] else {}
    freed = resolve(tx, row, private)
    now: Row = row if freed is None else row_of_number(tx, row["id"])
    if now["state"] == "waiting":
        note(
            tx,
            now,
            "lease:queued",
            actor=row["principal"],
            channel=row["channel"],
            details={"mode": row["mode"], "class": now["rank_class"], "wait_until": wait_until},
            private=private,
        )
    if freed is None:
        return ticket_of(row, position, expected_us(tx, resources, position))
    hand_out(tx, [*freed, *resources])
    now = row_of_number(tx, row["id"])
    if now["state"] == "held":
        return lease_of(now)
    return place_of(tx, now) if now["state"] == "waiting" else ticket_of(now)
