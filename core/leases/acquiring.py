"""Asking for a lease: granted at once, queued, or refused."""

from __future__ import annotations

from sqlalchemy import BigInteger, and_, bindparam, case, func, select

from core.errors import Conflict, Invalid
from core.leases.finding import row_by_key
from core.leases.granting import grant_new, row_of
from core.leases.handing import hand_out, reclaim_all
from core.leases.lease import Holder, Lease, Ticket, holder_of, lease_of, ticket_of
from core.leases.looking import View
from core.leases.queueing import enqueue
from core.leases.request import Acquire
from core.leases.resource import names_in
from core.leases.terms import LIMITS, RUN, LeaseLimits
from core.leases.token import take_number
from core.leases.waiting import place_of
from core.store import schema
from core.store.rows import Row
from core.store.statement import Statement
from core.store.tx import Tx

_lease = schema.lease
_live = and_(
    _lease.c.principal == bindparam("principal"),
    _lease.c.state != "ended",
    _lease.c.expires_at > bindparam("now_us", type_=BigInteger()),
)
_COUNTS = Statement(
    select(
        func.coalesce(func.sum(case((_lease.c.state == "held", 1), else_=0)), 0).label("held"),
        func.coalesce(func.sum(case((_lease.c.state == "waiting", 1), else_=0)), 0).label("waiting"),
    ).where(_live)
)
_RESOURCES = Statement(select(_lease.c.resources).where(_live, _lease.c.state == "waiting"))


def acquire(tx: Tx, request: Acquire, limits: LeaseLimits = LIMITS) -> Lease | Ticket:
    """All of the resources are held, or the request stands in the queue; a repeated one answers with what became of it.

    A ticket that comes back `refused` closed a deadlock: it is in the log, and `Ticket.refusal` is the answer.
    Raises Conflict: `held` with `held_by` for a request that does not wait, `too_many_leases`, `too_many_tickets`,
    `queue_full`. Raises Invalid (`key_reused`) when the key stood for another request.
    """
    if request.request_key is not None:
        row = row_by_key(tx, request.principal, request.request_key)
        if row is not None:
            return _repeated(tx, request, row)
    plain = request.rank_class != RUN
    waiting = check_leases(tx, request.principal, limits) if plain else 0
    view = View(tx, resources=request.resources, mode=request.mode, rank_class=request.rank_class)
    lapsed = view.lapsed()
    if lapsed is not None:
        freed = reclaim_all(tx, lapsed)
        lease = grant_new(tx, request)
        if freed:
            hand_out(tx, freed)
        return lease
    if request.wait_us == 0:
        raise held(request.resources, [holder_of(row) for row in view.leases() if not row["lapsed"]])
    if plain:
        _check_tickets(tx, request, waiting, limits)
    return enqueue(tx, row_of(request, take_number(tx)), request.wait_us, limits)


def _repeated(tx: Tx, request: Acquire, row: Row) -> Lease | Ticket:
    if names_in(row["resources"]) != request.resources or row["mode"] != request.mode:
        raise Invalid("key_reused", "this request key stands for another request; use a new one")
    if row["ticket"] is None:
        return lease_of(row)
    return place_of(tx, row) if row["state"] == "waiting" else ticket_of(row)


def held(resources: tuple[str, ...], held_by: list[Holder]) -> Conflict:
    """The refusal of a request that does not wait."""
    wanted = ", ".join(resources)
    if held_by:
        message = f"{wanted}: held by {', '.join(sorted({holder.principal for holder in held_by}))}"
    else:
        message = f"{wanted}: others are waiting and come first"
    return Conflict("held", message, held_by=[holder.fields for holder in held_by])


def check_leases(tx: Tx, principal: str, limits: LeaseLimits) -> int:
    """The principal may hold one more; how often it waits. Raises Conflict (`too_many_leases`)."""
    live = tx.one(_COUNTS, principal=principal, now_us=tx.now_us)
    assert live is not None
    if live["held"] >= limits.leases:
        raise Conflict("too_many_leases", f"{principal} already holds {limits.leases} leases; release some first")
    return int(live["waiting"])


def _check_tickets(tx: Tx, request: Acquire, tickets: int, limits: LeaseLimits) -> None:
    if tickets >= limits.tickets:
        raise Conflict(
            "too_many_tickets", f"{request.principal} already waits {limits.tickets} times; cancel some first"
        )
    if tickets < limits.tickets_a_resource:
        return
    rows = tx.all(_RESOURCES, principal=request.principal, now_us=tx.now_us)
    waiting = [names_in(row["resources"]) for row in rows]
    for wanted in request.resources:
        if sum(wanted in names for names in waiting) >= limits.tickets_a_resource:
            raise Conflict(
                "too_many_tickets",
                f"{request.principal} already waits {limits.tickets_a_resource} times for {wanted}; cancel some first",
            )
