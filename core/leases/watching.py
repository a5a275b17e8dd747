"""Wanting to hear when resources are free, without a place in the queue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import BigInteger, Integer, bindparam, delete, insert, select

from core.errors import Conflict
from core.leases.looking import NEWEST, View
from core.leases.resource import check_all
from core.leases.terms import PLAIN
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx

MOST_WATCHES = 50
"""How many resources one principal watches at once."""

_watch = schema.lease_watch
_OF = Statement(select(_watch.c.resource).where(_watch.c.principal == bindparam("principal")))
_ALL = Statement(select(_watch).order_by(_watch.c.at).limit(bindparam("most", type_=Integer())))
_NEW = Statement(insert(_watch), ("principal", "resource", "channel", "at"))
_DROP = Statement(
    delete(_watch).where(
        _watch.c.principal == bindparam("principal"),
        _watch.c.resource == bindparam("resource"),
        _watch.c.at <= bindparam("until", type_=BigInteger()),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who wants to hear of which resource, and where they asked."""

    principal: str
    resource: str
    channel: str | None


def watch(tx: Tx, principal: str, resources: Iterable[str], channel: str | None = None) -> list[str]:
    """The principal hears once when each of these is free; those that are free now are answered and not watched.

    Raises Invalid for what is no resource, Conflict (`too_many_watches`).
    """
    wanted = check_all(resources)
    watched = {row["resource"] for row in tx.all(_OF, principal=principal)}
    busy = [name for name in wanted if not _free(tx, name)]
    if len(watched | set(busy)) > MOST_WATCHES:
        raise Conflict("too_many_watches", f"{principal} already watches {MOST_WATCHES} resources")
    for name in busy:
        if name not in watched:
            tx.run(_NEW, principal=principal, resource=name, channel=channel, at=tx.now_us)
    return [name for name in wanted if name not in busy]


def unwatch(tx: Tx, principal: str, resources: Iterable[str]) -> int:
    """The principal does not want to hear of these any more; how many were watched."""
    return sum(tx.run(_DROP, principal=principal, resource=name, until=tx.now_us) for name in check_all(resources))


def freed(tx: Tx, most: int = 500) -> list[Watch]:
    """The watches whose resources are free now, and which are over with that. Call it after a lease ended."""
    found = [
        Watch(principal=row["principal"], resource=row["resource"], channel=row["channel"])
        for row in tx.all(_ALL, most=most)
        if _free(tx, row["resource"])
    ]
    for each in found:
        tx.run(_DROP, principal=each.principal, resource=each.resource, until=tx.now_us)
    return found


def any_watched(reader: Reader) -> bool:
    """Whether anybody watches anything."""
    return bool(reader.all(_ALL, most=1))


def _free(reader: Reader, resource: str) -> bool:
    """Whether whoever asked for it now would have it at once."""
    view = View(reader, resources=(resource,), mode="exclusive", rank_class=PLAIN, arrival=NEWEST)
    return view.lapsed() is not None
