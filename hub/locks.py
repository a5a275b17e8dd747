"""What people hear of their locks, and what the hub does for those who wait for one.

Everything is told in the transaction that makes it so: that a place came up, that a lock was broken, given away or
ended, that it ends soon.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import BigInteger, bindparam, select

from core.audit.entry import Draft
from core.clock import SECOND, show_duration
from core.ids import parse, show
from core.leases.lease import Lease, lease_of
from core.leases.reminding import remind
from core.leases.waiting import poll
from core.leases.watching import any_watched, freed
from core.moments import show_moment, zone_of
from core.people.directory import HUB, Kind, Principal
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World
from hub.messenger import Messenger

KEEP_BEFORE_US = 20 * SECOND
"""How long before a person's place would lapse the hub asks for it: a place lasts for 30 seconds at least."""

_T = schema.lease
_LAPSING = Statement(
    select(_T.c.principal, _T.c.ticket)
    .where(
        _T.c.state == "waiting",
        _T.c.kind == "lock",
        _T.c.free_at <= bindparam("until", type_=BigInteger()),
        _T.c.free_at < _T.c.wait_until,
    )
    .order_by(_T.c.free_at)
    .limit(200)
)
_BY_ID = Statement(select(_T).where(_T.c.id == bindparam("id")))

_FREES = frozenset({"lease:released", "lease:reclaimed", "lease:broken", "lease:cancelled"})

News = tuple[Principal, str, str]
"""Who hears, about which lease or place, and what."""


class Locks:
    """The hub's part in locks by command."""

    def __init__(self, messenger: Messenger) -> None:
        self._messenger = messenger

    def plan(self, tx: Tx, world: World) -> None:
        """In this transaction: whoever it concerns will hear what its entries say of their locks."""
        for draft in tx.drafts:
            if draft.event.startswith("lease:"):
                for person, subject, text in news_of(tx, world, draft):
                    self._messenger.plan(tx, person, subject, text)
        ended = next((each.subject for each in tx.drafts if each.event in _FREES and each.subject), None)
        if ended is not None and any_watched(tx):
            for found in freed(tx):
                watcher = _person(world, found.principal)
                if watcher is not None:
                    self._messenger.plan(tx, watcher, ended, f"{found.resource} is free now.")

    def remind(self, tx: Tx, world: World) -> None:
        """Those whose locks end soon will hear it, once for each end."""
        for lease in remind(tx):
            person = _person(world, lease.principal)
            if person is not None and lease.expires_at is not None:
                left = show_duration(round((lease.expires_at - tx.now_us) / SECOND / 60) * 60)
                text = (
                    f"{lease.lock_id}: your lock on {', '.join(lease.resources)} ends in about {left}, at "
                    f"{_moment(world, person, lease.expires_at)}. `extend {lease.lock_id} 30m` keeps it, "
                    f"`unlock {lease.lock_id}` gives it back."
                )
                self._messenger.plan(tx, person, lease.lock_id, text)


def lapsing(reader: Reader) -> bool:
    """Whether somebody's place would lapse soon."""
    return bool(reader.all(_LAPSING, until=reader.now_us + KEEP_BEFORE_US))


def keep_places(tx: Tx) -> None:
    """Nobody who waits for a lock by command loses the place for not asking: people do not poll."""
    for row in tx.all(_LAPSING, until=tx.now_us + KEEP_BEFORE_US):
        poll(tx, row["principal"], show("T", row["ticket"]))


def news_of(tx: Tx, world: World, draft: Draft) -> Iterator[News]:
    """What people hear because of that entry."""
    principal = str(draft.details.get("principal") or draft.actor)
    person = _person(world, principal)
    if person is None or draft.subject is None:
        return
    match draft.event:
        case "lease:acquired" if "instead_of" in draft.details:
            yield from _transferred(tx, world, draft, person)
        case "lease:acquired" if "ticket" in draft.details:
            lease = _lock(tx, draft.subject)
            if lease is not None and lease.expires_at is not None:
                yield (
                    person,
                    draft.subject,
                    (
                        f"{lease.lock_id}: {', '.join(lease.resources)} is yours now, until "
                        f"{_moment(world, person, lease.expires_at)}. `unlock {lease.lock_id}` gives it back."
                    ),
                )
        case "lease:broken":
            why = draft.private.get("reason", "")
            yield (
                person,
                draft.subject,
                (f"{draft.subject}: {_name(world, draft.actor)} broke your lease on {_resources(draft)}: {why}"),
            )
        case "lease:reclaimed" if _lock(tx, draft.subject) is not None:
            yield (
                person,
                draft.subject,
                f"{draft.subject}: your lock on {_resources(draft)} has ended; its time is over.",
            )
        case "lease:cancelled" | "lease:deadlock" if draft.actor == HUB.id and _is_lock(tx, draft.subject):
            place = draft.details.get("ticket", draft.subject)
            yield (
                person,
                draft.subject,
                f"{place}: your place for {_resources(draft)} is gone; ask again if you still need it.",
            )


def _transferred(tx: Tx, world: World, draft: Draft, to: Principal) -> Iterator[News]:
    """Both ends of a gift that they did not make themselves."""
    former = str(draft.details["instead_of"])
    before = _lease(tx, former)
    if before is None or before.principal == to.id:
        return
    lease = _lease(tx, str(draft.subject))
    until = f", until {_moment(world, to, lease.expires_at)}" if lease is not None and lease.expires_at else ""
    if draft.actor != to.id:
        yield (
            to,
            lease.lock_id if lease else former,
            (f"{draft.subject}: {_name(world, draft.actor)} gave you {', '.join(before.resources)}{until}."),
        )
    holder = _person(world, before.principal)
    if holder is not None and draft.actor != holder.id:
        yield (
            holder,
            former,
            (f"{former}: {_name(world, draft.actor)} gave {', '.join(before.resources)}, which you had, to {to.name}."),
        )


def _lease(tx: Tx, lock_id: str) -> Lease | None:
    """The lease of that id, whatever became of it; None for one that was never granted."""
    row = tx.one(_BY_ID, id=parse("L", lock_id))
    return None if row is None or row["token"] is None else lease_of(row)


def _lock(tx: Tx, lock_id: str) -> Lease | None:
    """The lease, if it is a lock by command."""
    lease = _lease(tx, lock_id)
    return lease if lease is not None and lease.kind == "lock" else None


def _is_lock(tx: Tx, lock_id: str) -> bool:
    """Whether it is, or was to become, a lock by command."""
    row = tx.one(_BY_ID, id=parse("L", lock_id))
    return row is not None and row["kind"] == "lock"


def _person(world: World, principal: str) -> Principal | None:
    found = world.people.find(principal)
    return found if found is not None and found.kind is Kind.PERSON else None


def _name(world: World, principal: str | None) -> str:
    found = world.people.find(principal or "")
    return found.name if found is not None else str(principal)


def _resources(draft: Draft) -> str:
    return ", ".join(draft.details.get("resources", ()))


def _moment(world: World, person: Principal, at_us: int) -> str:
    return show_moment(at_us, zone_of(person, world.timezone))
