"""Looking at who has and who wants a set of resources. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
)

from core.leases.resource import footprint
from core.leases.terms import IN_THE_WAY
from core.store import schema
from core.store.encoding import load
from core.store.rows import Reader, Row
from core.store.statement import Statement

NEWEST = (1 << 62) - 1
"""The arrival of a request that has none yet: after everybody."""

_lease = schema.lease
_names = schema.lease_resource
_WAITERS = 4


def _int(name: str) -> Any:
    return bindparam(name, type_=BigInteger())


def _places(kind: str, count: int) -> list[Any]:
    return [bindparam(f"{kind}{at}") for at in range(count)]


def _touches(above: int, leaves: int) -> ColumnElement[bool]:
    """Whether a name conflicts with those bound as f0… (leaves) and n0… (what is above them)."""
    same = _names.c.resource.in_(_places("f", leaves))
    return or_(same, and_(_names.c.leaf == 1, _names.c.resource.in_(_places("n", above)))) if above else same


@lru_cache(maxsize=256)
def _any(above: int, leaves: int) -> Statement:
    return Statement(select(_names.c.lease).where(_touches(above, leaves)).limit(1))


def _touching(above: int, leaves: int) -> FromClause:
    """Live leases and waiters whose resources conflict with the bound ones, each once."""
    if leaves == 1 and not above:
        return _names.join(_lease, and_(_lease.c.id == _names.c.lease, _touches(above, leaves)))
    found = select(_names.c.lease).where(_touches(above, leaves)).distinct().subquery()
    return found.join(_lease, _lease.c.id == found.c.lease)


# Not `state = 'waiting'`: SQLite would walk every waiter of the shard by that index instead of those found by name.
_waits = _lease.c.state.not_in(["held", "closed"])


def _better() -> ColumnElement[bool]:
    """Whether a live waiter's rank is better than the bound one."""
    return and_(
        _lease.c.expires_at > _int("now_us"),
        or_(
            _lease.c.rank_class < bindparam("rank_class", type_=Integer()),
            and_(_lease.c.rank_class == bindparam("rank_class", type_=Integer()), _lease.c.arrival < _int("arrival")),
        ),
    )


def _conflicting(what: Select[Any], above: int, leaves: int) -> Select[Any]:
    return what.select_from(_touching(above, leaves)).where(
        _lease.c.id != _int("but"), or_(_lease.c.mode == "exclusive", bindparam("exclusive", type_=Integer()) == 1)
    )


@lru_cache(maxsize=256)
def _obstacles(above: int, leaves: int) -> Statement:
    lapsed = case((and_(_lease.c.state == "held", _lease.c.expires_at <= _int("now_us")), 1), else_=0)
    return Statement(
        _conflicting(select(_lease, lapsed.label("lapsed")), above, leaves)
        .where(or_(_lease.c.state != "waiting", _better()))
        .order_by(lapsed, _lease.c.state, _lease.c.rank_class, _lease.c.arrival)
        .limit(bindparam("most", type_=Integer()))
    )


@lru_cache(maxsize=256)
def _ahead(above: int, leaves: int) -> Statement:
    return Statement(_conflicting(select(func.count().label("ahead")), above, leaves).where(_waits, _better()))


@lru_cache(maxsize=256)
def _waiters(above: int, leaves: int) -> Statement:
    return Statement(
        select(_lease)
        .select_from(_touching(above, leaves))
        .where(
            _waits,
            or_(
                _lease.c.rank_class > bindparam("rank_class", type_=Integer()),
                and_(
                    _lease.c.rank_class == bindparam("rank_class", type_=Integer()),
                    _lease.c.arrival > _int("arrival"),
                ),
            ),
        )
        .order_by(_lease.c.rank_class, _lease.c.arrival)
        .limit(_WAITERS)
    )


def _bound(region: dict[str, int]) -> tuple[int, int, dict[str, Any]]:
    """How many names above and how many leaves are bound, and the values; counts are 0 or powers of two.

    The last of each list is repeated up to its count, so that few statements serve every size.
    """
    values: dict[str, Any] = {}
    sizes = []
    for kind, wanted in (("n", 0), ("f", 1)):
        listed = [name for name, leaf in region.items() if leaf == wanted]
        size = 1 << (len(listed) - 1).bit_length() if listed else 0
        sizes.append(size)
        for at in range(size):
            values[f"{kind}{at}"] = listed[min(at, len(listed) - 1)]
    return sizes[0], sizes[1], values


def obstacles(
    reader: Reader,
    *,
    resources: Iterable[str],
    mode: str,
    rank_class: int,
    arrival: int,
    but: int = 0,
    most: int = IN_THE_WAY,
) -> list[Row]:
    """What conflicts with a request of that rank: leases, and live waiters of better rank.

    Each row has `lapsed`: 1 for a lease whose time is over and which nobody reclaimed yet; those come last and are
    not in the way. Otherwise closed and held ones come before waiters.
    """
    above, leaves, values = _bound(footprint(resources))
    if reader.one(_any(above, leaves), **values) is None:  # by far the most frequent answer, and the cheapest
        return []
    return reader.all(
        _obstacles(above, leaves),
        now_us=reader.now_us,
        exclusive=1 if mode == "exclusive" else 0,
        rank_class=rank_class,
        arrival=arrival,
        but=but,
        most=most,
        **values,
    )


def obstacles_of(reader: Reader, row: Row, most: int = IN_THE_WAY) -> list[Row]:
    """What conflicts with the waiter of that row."""
    return obstacles(
        reader,
        resources=load(row["resources"]),
        mode=row["mode"],
        rank_class=row["rank_class"],
        arrival=row["arrival"],
        but=row["id"],
        most=most,
    )


def lapsed_for(reader: Reader, row: Row) -> list[Row] | None:
    """The lapsed leases that the waiter of that row replaces if it is granted now; None when somebody is in its way."""
    first = obstacles_of(reader, row, most=1)
    if first and not first[0]["lapsed"]:
        return None
    return obstacles_of(reader, row) if first else []


def position_of(reader: Reader, row: Row) -> int:
    """The place of the waiter of that row: 1 is next."""
    above, leaves, values = _bound(footprint(load(row["resources"])))
    found = reader.one(
        _ahead(above, leaves),
        now_us=reader.now_us,
        exclusive=1 if row["mode"] == "exclusive" else 0,
        rank_class=row["rank_class"],
        arrival=row["arrival"],
        but=row["id"],
        **values,
    )
    assert found is not None
    return int(found["ahead"]) + 1


def waiters(reader: Reader, region: dict[str, int], rank_class: int, arrival: int) -> list[Row]:
    """The next waiters after that rank, dead ones too, whose resources conflict with the footprint `region`."""
    above, leaves, values = _bound(region)
    if reader.one(_any(above, leaves), **values) is None:
        return []
    return reader.all(_waiters(above, leaves), rank_class=rank_class, arrival=arrival, **values)
