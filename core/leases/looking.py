"""Looking at who has and who wants a set of resources. Nothing here changes anything."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    tuple_,
)

from core.leases.resource import footprint, names_in
from core.leases.terms import IN_THE_WAY
from core.store import schema
from core.store.rows import Reader, Row
from core.store.statement import Statement

NEWEST = (1 << 62) - 1
"""The arrival of a request that has none yet: after everybody."""

_lease = schema.lease
_names = schema.lease_resource


def _int(name: str) -> Any:
    return bindparam(name, type_=BigInteger())


def _places(kind: str, count: int) -> list[Any]:
    return [bindparam(f"{kind}{at}") for at in range(count)]


def _touches(above: int, leaves: int) -> ColumnElement[bool]:
    """Whether a name conflicts with those bound as f0… (leaves) and n0… (what is above them)."""
    same = _names.c.resource.in_(_places("f", leaves)) if leaves > 1 else _names.c.resource == bindparam("f0")
    return or_(same, and_(_names.c.leaf == 1, _names.c.resource.in_(_places("n", above)))) if above else same


@lru_cache(maxsize=256)
def _any(above: int, leaves: int) -> Statement:
    found = select(_lease.c.id, _lease.c.state, _lease.c.free_at, _lease.c.mode)
    source = _names.join(_lease, and_(_lease.c.id == _names.c.lease, _touches(above, leaves)))
    return Statement(found.select_from(source).limit(1))


@lru_cache(maxsize=256)
def _taken(above: int, leaves: int) -> Statement:
    return Statement(select(_names.c.lease).where(_touches(above, leaves), *_clashes(0)).limit(1))


def _joined(above: int, leaves: int, *which: ColumnElement[bool]) -> tuple[FromClause, Any]:
    """Leases and waiters whose names touch the bound ones and are `which`, each once; and the table of their ranks."""
    if leaves == 1 and not above:
        return _names.join(_lease, and_(_lease.c.id == _names.c.lease, _touches(above, leaves), *which)), _names
    found = (
        select(_names.c.lease, _names.c.rank_class, _names.c.arrival)
        .where(_touches(above, leaves), *which)
        .distinct()
        .subquery()
    )
    return found.join(_lease, _lease.c.id == found.c.lease), found


def _clashes(waiting: int) -> list[ColumnElement[bool]]:
    """Whether a touching name belongs to a waiter (or a lease) that cannot stand beside the bound request."""
    return [
        _names.c.waiting == waiting,
        or_(_names.c.shared == 0, bindparam("exclusive", type_=Integer()) == 1),
        _names.c.lease != _int("but"),
        _names.c.lease != _int("replaces"),
    ]


def _rank(table: Any) -> Any:
    return tuple_(table.c.rank_class, table.c.arrival)


def _bound_rank() -> Any:
    return tuple_(bindparam("rank_class", type_=Integer()), _int("arrival"))


_lapsed = case((and_(_lease.c.state == "held", _lease.c.free_at <= _int("now_us")), 1), else_=0)


@lru_cache(maxsize=256)
def _held(above: int, leaves: int) -> Statement:
    source, _ = _joined(above, leaves, *_clashes(0))
    return Statement(
        select(_lease, _lapsed.label("lapsed"))
        .select_from(source)
        .order_by(_lapsed, _lease.c.state, _lease.c.rank_class, _lease.c.arrival)
        .limit(bindparam("most", type_=Integer()))
    )


@lru_cache(maxsize=256)
def _before(above: int, leaves: int) -> Statement:
    source, ranks = _joined(above, leaves, *_clashes(1), _rank(_names) < _bound_rank())
    return Statement(
        select(_lease, (_lease.c.id * 0).label("lapsed"))
        .select_from(source)
        .where(_lease.c.expires_at > _int("now_us"))
        .order_by(ranks.c.rank_class, ranks.c.arrival)
        .limit(bindparam("most", type_=Integer()))
    )


@lru_cache(maxsize=256)
def _ahead(above: int, leaves: int) -> Statement:
    one = leaves == 1 and not above
    count = func.count() if one else func.count(_names.c.lease.distinct())
    better = _rank(_names) < _bound_rank()
    return Statement(
        select(count.label("ahead")).select_from(_names).where(_touches(above, leaves), *_clashes(1), better)
    )


@lru_cache(maxsize=256)
def _waiters(above: int, leaves: int) -> Statement:
    source, ranks = _joined(above, leaves, _names.c.waiting == 1, _rank(_names) > _bound_rank())
    in_order = select(_lease).select_from(source).order_by(ranks.c.rank_class, ranks.c.arrival)
    return Statement(in_order.limit(bindparam("most", type_=Integer())))


@lru_cache(maxsize=4_096)
def _bound_of(resources: tuple[str, ...]) -> tuple[int, int, dict[str, Any]]:
    return _bound(footprint(resources))


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


class View:
    """A request's surroundings: what conflicts with `resources` in `mode` for one of that rank.

    `but` is the request itself, `replaces` the lease in whose place it would be granted; neither is in its way.
    """

    __slots__ = ("_above", "_leaves", "_names", "_only_names", "_rank", "_reader")

    def __init__(
        self,
        reader: Reader,
        *,
        resources: tuple[str, ...],
        mode: str,
        rank_class: int,
        arrival: int = NEWEST,
        but: int = 0,
        replaces: int = 0,
    ) -> None:
        self._reader = reader
        self._above, self._leaves, names = _bound_of(resources)
        self._only_names = names
        self._names = {**names, "exclusive": int(mode == "exclusive"), "but": but, "replaces": replaces}
        self._rank = {"rank_class": rank_class, "arrival": arrival}

    def taken(self) -> bool:
        """Whether any lease conflicts, lapsed or not."""
        return self._reader.one(_taken(self._above, self._leaves), **self._names) is not None

    def leases(self, most: int = IN_THE_WAY) -> list[Row]:
        """The leases that conflict, closed and held ones first, then by rank those that others may replace (`lapsed`)."""
        statement = _held(self._above, self._leaves)
        return self._reader.all(statement, now_us=self._reader.now_us, most=most, **self._names)

    def waiters(self, most: int = IN_THE_WAY) -> list[Row]:
        """The live waiters of better rank that conflict, best first."""
        statement = _before(self._above, self._leaves)
        return self._reader.all(statement, now_us=self._reader.now_us, most=most, **self._names, **self._rank)

    def position(self) -> int:
        """The place in the queue: 1 is next."""
        found = self._reader.one(_ahead(self._above, self._leaves), **self._names, **self._rank)
        assert found is not None
        return int(found["ahead"]) + 1

    def lapsed(self) -> list[Row] | None:
        """The lapsed leases that are replaced if it is granted now; None when somebody is in the way.

        One cheap look is enough where nothing is leased or wanted, and mostly where something is.
        """
        first = self._reader.one(_any(self._above, self._leaves), **self._only_names)
        if first is None:
            return []
        if self._is_in_the_way(first):
            return None
        leases = self.leases()
        if (leases and not leases[0]["lapsed"]) or self.waiters(most=1):
            return None
        return leases

    def _is_in_the_way(self, row: Row) -> bool:
        if row["id"] in (self._names["but"], self._names["replaces"]):
            return False
        if row["mode"] == "shared" and not self._names["exclusive"]:
            return False
        return row["state"] == "closed" or bool(row["state"] == "held" and row["free_at"] > self._reader.now_us)

    def obstacles(self, most: int = IN_THE_WAY) -> list[Row]:
        """What is in the way: leases in force or closed, then live waiters of better rank."""
        leases = [row for row in self.leases(most) if not row["lapsed"]]
        return leases + self.waiters(most)[: most - len(leases)]


def view_of(reader: Reader, row: Row) -> View:
    """The surroundings of the waiter of that row."""
    return View(
        reader,
        resources=names_in(row["resources"]),
        mode=row["mode"],
        rank_class=row["rank_class"],
        arrival=row["arrival"],
        but=row["id"],
        replaces=row["replaces"] or 0,
    )


def position_of(reader: Reader, row: Row) -> int:
    """The place of the waiter of that row: 1 is next."""
    return view_of(reader, row).position()


def waiters(reader: Reader, region: dict[str, int], rank_class: int, arrival: int, most: int) -> list[Row]:
    """The next waiters after that rank, dead ones too, whose resources conflict with the footprint `region`."""
    above, leaves, values = _bound(region)
    return reader.all(_waiters(above, leaves), rank_class=rank_class, arrival=arrival, most=most, **values)
