"""Asking for a lease: granted at once, queued, or refused."""

from __future__ import annotations

from sqlalchemy import BigInteger, and_, bindparam, func, select, update

from core.errors import Conflict, Invalid
from core.leases.deadlock import find_cycle
from core.leases.finding import row_by_key
from core.leases.granting import grant_new, insert_row, row_of
from core.leases.handing import hand_out
from core.leases.lease import Holder, Lease, Ticket, holder_of, lease_of, ticket_of
from core.leases.looking import NEWEST, obstacles, position_of
from core.leases.request import Acquire
from core.leases.terms import IN_THE_WAY, LIMITS, RUN, LeaseLimits, place_us
from core.leases.token import take_arrival
from core.leases.vacating import note, reclaim, vacate
from core.store import schema
from core.store.encoding import dump, load
from core.store.rows import Row
from core.store.statement import Statement
from core.store.tx import Tx

_lease = schema.lease
_live = and_(
    _lease.c.principal == bindparam("principal"),
    _lease.c.state == bindparam("state"),
    _lease.c.expires_at > bindparam("now_us", type_=BigInteger()),
)
_COUNT = Statement(select(func.count().label("live")).where(_live))
_RESOURCES = Statement(select(_lease.c.resources).where(_live))
_SET_CYCLE = Statement(
    update(_lease).where(_lease.c.id == bindparam("w_id")).values(cycle=bindparam("cycle")).returning(_lease)
)


def acquire(tx: Tx, request: Acquire, limits: LeaseLimits = LIMITS) -> Lease | Ticket:
    """All of the resources are held, or the request stands in the queue; a repeated one answers with what became of it.

    A ticket that comes back `refused` closed a deadlock: it is in the log, and `Ticket.refusal` is the answer.
    Raises Conflict: `held` with `held_by` for a request that does not wait, `too_many_leases`, `too_many_tickets`.
    Raises Invalid (`key_reused`) when the key stood for another request.
    """
    if request.request_key is not None:
        row = row_by_key(tx, request.principal, request.request_key)
        if row is not None:
            return _repeated(tx, request, row)
    _check_leases(tx, request, limits)
    way = _way(tx, request, most=1)
    if not way:
        return grant_new(tx, request)
    if way[0]["lapsed"]:
        freed: list[str] = []
        for row in _way(tx, request):
            reclaim(tx, row)
            freed += load(row["resources"])
        lease = grant_new(tx, request)
        hand_out(tx, freed)
        return lease
    if request.wait_us == 0:
        held = [row for row in _way(tx, request) if row["state"] != "waiting" and not row["lapsed"]]
        raise _held(request, [holder_of(row) for row in held])
    _check_tickets(tx, request, limits)
    return _enqueue(tx, request)


def _way(tx: Tx, request: Acquire, most: int = IN_THE_WAY) -> list[Row]:
    return obstacles(
        tx,
        resources=request.resources,
        mode=request.mode,
        rank_class=request.rank_class,
        arrival=NEWEST,
        most=most,
    )


def _repeated(tx: Tx, request: Acquire, row: Row) -> Lease | Ticket:
    if tuple(load(row["resources"])) != request.resources or row["mode"] != request.mode:
        raise Invalid("key_reused", "this request key stands for another request; use a new one")
    if row["ticket"] is None:
        return lease_of(row)
    return ticket_of(row, position_of(tx, row) if row["state"] == "waiting" else 0)


def _held(request: Acquire, held_by: list[Holder]) -> Conflict:
    wanted = ", ".join(request.resources)
    if held_by:
        message = f"{wanted}: held by {', '.join(sorted({holder.principal for holder in held_by}))}"
    else:
        message = f"{wanted}: others are waiting and come first"
    return Conflict("held", message, held_by=[holder.fields for holder in held_by])


def _check_leases(tx: Tx, request: Acquire, limits: LeaseLimits) -> None:
    if request.rank_class == RUN:
        return
    if _count(tx, request, "held") >= limits.leases:
        raise Conflict(
            "too_many_leases", f"{request.principal} already holds {limits.leases} leases; release some first"
        )


def _check_tickets(tx: Tx, request: Acquire, limits: LeaseLimits) -> None:
    if request.rank_class == RUN:
        return
    tickets = _count(tx, request, "waiting")
    if tickets >= limits.tickets:
        raise Conflict(
            "too_many_tickets", f"{request.principal} already waits {limits.tickets} times; cancel some first"
        )
    if tickets < limits.tickets_a_resource:
        return
    rows = tx.all(_RESOURCES, principal=request.principal, state="waiting", now_us=tx.now_us)
    waiting = [load(row["resources"]) for row in rows]
    for wanted in request.resources:
        if sum(wanted in names for names in waiting) >= limits.tickets_a_resource:
            raise Conflict(
                "too_many_tickets",
                f"{request.principal} already waits {limits.tickets_a_resource} times for {wanted}; cancel some first",
            )


def _count(tx: Tx, request: Acquire, state: str) -> int:
    row = tx.one(_COUNT, principal=request.principal, state=state, now_us=tx.now_us)
    assert row is not None
    return int(row["live"])


def _enqueue(tx: Tx, request: Acquire) -> Ticket:
    row = row_of(request, tx.next_id("lease"), take_arrival(tx))
    wait_until = tx.now_us + request.wait_us
    row |= {
        "state": "waiting",
        "ticket": tx.next_id("ticket"),
        "queued_at": tx.now_us,
        "wait_until": wait_until,
        "expires_at": min(wait_until, tx.now_us + place_us(request.ttl_us)),
    }
    insert_row(tx, row, request.resources)
    private = {"purpose": request.purpose} if request.purpose else {}
    if request.holder is not None and (cycle := find_cycle(tx, row)):
        vacate(
            tx,
            row,
            "refused",
            "lease:deadlock",
            actor=request.principal,
            channel=request.channel,
            details={"cycle": cycle},
            private=private,
        )
        refused = tx.one(_SET_CYCLE, w_id=row["id"], cycle=dump(cycle))
        assert refused is not None
        return ticket_of(refused)
    note(
        tx,
        row,
        "lease:queued",
        actor=request.principal,
        channel=request.channel,
        details={"mode": request.mode, "class": request.rank_class, "wait_until": wait_until},
        private=private,
    )
    return ticket_of(row, position_of(tx, row))
