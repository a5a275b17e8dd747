"""Deadlocks in the database: the graph of who waits for whom, and what solving one changes there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import BigInteger, Integer, and_, bindparam, func, or_, select, tuple_, update

from core.ids import show
from core.leases import deadlock
from core.leases.deadlock import Obstacle, Rank, Step, Waiter, Who
from core.leases.resource import names_in
from core.leases.terms import ARRIVAL_STEP, MAX_HOPS, PLAIN
from core.leases.vacating import vacate
from core.people.directory import HUB
from core.store import schema
from core.store.encoding import dump
from core.store.rows import Row
from core.store.statement import Statement
from core.store.tx import Tx

_MOST_EDGES = 4_096

_lease, _names = schema.lease, schema.lease_resource
_now: Any = bindparam("now_us", type_=BigInteger())
_OTHERS = Statement(
    select(_lease.c.id)
    .where(
        _lease.c.holder == bindparam("holder"),
        _lease.c.state != "ended",
        _lease.c.principal == bindparam("principal"),
        _lease.c.id != bindparam("but", type_=BigInteger()),
    )
    .limit(1)
)
# Not `state = 'waiting'`: SQLite would walk everybody of the principal who waits, and not the holder's own few rows.
_of_holder = and_(
    _lease.c.holder == bindparam("holder"),
    _lease.c.state != "ended",
    _lease.c.principal == bindparam("principal"),
)
_WAITS = Statement(
    select(_lease)
    .where(_of_holder, _lease.c.state.not_in(["held", "closed"]), _lease.c.expires_at > _now)
    .order_by(_lease.c.rank_class, _lease.c.arrival)
)
_LEASES = Statement(select(func.count().label("leases")).where(_of_holder, _lease.c.state != "waiting"))
_RANKS = Statement(
    select(_lease.c.arrival).where(
        _lease.c.state == "waiting",
        _lease.c.rank_class == bindparam("rank_class", type_=Integer()),
        _lease.c.arrival < bindparam("arrival", type_=BigInteger()),
        _lease.c.arrival > bindparam("floor", type_=BigInteger()),
    )
)
_rank: dict[str, Any] = {
    "rank_class": bindparam("to_class", type_=Integer()),
    "arrival": bindparam("to_arrival", type_=BigInteger()),
}
_MOVE = Statement(update(_lease).where(_lease.c.id == bindparam("w_id")).values(**_rank))
_MOVE_NAMES = Statement(update(_names).where(_names.c.lease == bindparam("w_id")).values(**_rank))
_RUN = Statement(select(schema.run.c.id).where(schema.run.c.lock_id == bindparam("lock_id")))
_SET_CYCLE = Statement(update(_lease).where(_lease.c.id == bindparam("w_id")).values(cycle=bindparam("cycle")))


def _jumps() -> Statement:
    mine, other = _names.alias("mine"), _names.alias("other")
    touching = and_(other.c.resource == mine.c.resource, or_(mine.c.leaf == 1, other.c.leaf == 1))
    worse = tuple_(other.c.rank_class, other.c.arrival) > tuple_(mine.c.rank_class, mine.c.arrival)
    return Statement(
        select(other.c.lease)
        .select_from(mine.join(other, and_(touching, other.c.waiting == 1, worse)))
        .where(mine.c.lease == bindparam("lease", type_=BigInteger()))
        .limit(1)
    )


_WAITER = ("id", "principal", "holder", "resources", "mode", "rank_class", "arrival", "approval", "replaces")
_as_waiter = itemgetter(*_WAITER)
_as_asking = itemgetter(*(f"asking_{name}" for name in _WAITER))


def _near() -> Statement:
    """The bound waiter and everybody whom one reaches from there over leases alone, by what is in the way of each."""
    mine, other = _names.alias("mine"), _names.alias("other")
    held, waiting = _lease.alias("held"), _lease.alias("waiting")
    touching = and_(
        other.c.resource == mine.c.resource,
        or_(mine.c.leaf == 1, other.c.leaf == 1),
        or_(mine.c.shared == 0, other.c.shared == 0),
        other.c.lease != mine.c.lease,
    )
    in_force = or_(held.c.state == "closed", and_(held.c.state == "held", held.c.free_at > _now))
    reach = select(bindparam("start", type_=BigInteger()).label("waiter")).cte("reach", recursive=True)
    reach = reach.union(
        select(waiting.c.id).select_from(
            reach.join(mine, mine.c.lease == reach.c.waiter)
            .join(other, and_(touching, other.c.waiting == 0))
            .join(held, and_(held.c.id == other.c.lease, in_force))
            .join(
                waiting,
                and_(
                    waiting.c.holder == held.c.holder,
                    waiting.c.state != "ended",
                    waiting.c.state.not_in(["held", "closed"]),
                    waiting.c.principal == held.c.principal,
                    waiting.c.expires_at > _now,
                ),
            )
        )
    )
    near = select(reach.c.waiter).limit(MAX_HOPS).subquery("near")
    asking, there = _lease.alias("asking"), _lease.alias("there")
    better = tuple_(other.c.rank_class, other.c.arrival) < tuple_(mine.c.rank_class, mine.c.arrival)
    blocks = or_(
        there.c.state == "closed",
        and_(there.c.state == "held", there.c.free_at > _now),
        and_(there.c.state == "waiting", there.c.expires_at > _now, better),
    )
    mine_held = _lease.alias("mine_held")
    leases = (
        select(func.count())
        .where(
            mine_held.c.holder == asking.c.holder,
            mine_held.c.state != "ended",
            mine_held.c.state != "waiting",
            mine_held.c.principal == asking.c.principal,
        )
        .scalar_subquery()
    )
    return Statement(
        select(
            *(asking.c[name].label(f"asking_{name}") for name in _WAITER),
            leases.label("leases"),
            *(there.c[name] for name in (*_WAITER, "state", "ticket", "kind")),
        )
        .select_from(
            near.join(mine, mine.c.lease == near.c.waiter)
            .join(asking, asking.c.id == near.c.waiter)
            .join(other, and_(touching, or_(other.c.waiting == 0, better)))
            .join(there, and_(there.c.id == other.c.lease, blocks, there.c.id != func.coalesce(asking.c.replaces, 0)))
        )
        .limit(_MOST_EDGES)
    )


_JUMPS = _jumps()
_EDGES = _near()


class Waits:
    """The graph as the transaction sees it; what is read is remembered until a rank or a place changes."""

    def __init__(self, tx: Tx, newcomer: int = 0, private: Mapping[str, Any] | None = None) -> None:
        self._tx = tx
        self._newcomer = newcomer
        self._private = private or {}
        self._edges: dict[int, list[Obstacle]] = {}
        self._waits: dict[Who, list[Waiter]] = {}
        self._leases: dict[Who, int] = {}
        self.freed: list[str] = []
        """The resources of whoever was refused or moved: others may be next there now."""

    def obstacles(self, waiter: Waiter) -> Sequence[Obstacle]:
        if waiter.number not in self._edges:
            self._look_around(waiter.number)
        return self._edges[waiter.number]

    def _look_around(self, start: int) -> None:
        """Learn what is in the way of that waiter, and of whoever waits as the holder of a lease that is, and so on."""
        rows = self._tx.all(_EDGES, start=start, now_us=self._tx.now_us)
        rows.sort(key=lambda row: (row["state"], row["rank_class"], row["arrival"]))
        asking: dict[int, Waiter] = {}
        found: dict[int, dict[int, Obstacle]] = {start: {}}
        for row in rows:
            number = row["asking_id"]
            if number not in asking:
                asking[number] = _waiter(*_as_asking(row))
                self._leases[asking[number].who] = row["leases"]
            edges = found.setdefault(number, {})
            if row["id"] not in edges:  # two resources may be in each other's way
                edges[row["id"]] = _obstacle(row)
        self._edges = {number: list(edges.values()) for number, edges in found.items()} | self._edges
        if len(rows) < _MOST_EDGES:
            leases = (each for edges in found.values() for each in edges.values() if each.waiter is None)
            waits: dict[Who, list[Waiter]] = {lease.who: [] for lease in leases}
            for waiter in sorted(asking.values(), key=lambda waiter: waiter.rank):
                if waiter.who in waits:
                    waits[waiter.who].append(waiter)
            self._waits = waits | self._waits

    def waits(self, who: Who) -> Sequence[Waiter]:
        known = self._waits.get(who)
        if known is None:
            rows = self._tx.all(_WAITS, **self._bound(who))
            known = self._waits[who] = [_waiter(*_as_waiter(row)) for row in rows]
        return known

    def _forget(self) -> None:
        self._edges.clear()
        self._waits.clear()

    def leases(self, who: Who) -> int:
        if who not in self._leases:
            row = self._tx.one(_LEASES, principal=who[0], holder=who[1])
            assert row is not None
            self._leases[who] = row["leases"]
        return self._leases[who]

    def before(self, obstacle: Waiter) -> Rank:
        rank_class, arrival = obstacle.rank
        floor = arrival - ARRIVAL_STEP
        rows = self._tx.all(_RANKS, rank_class=rank_class, arrival=arrival, floor=floor)
        return deadlock.first_free(obstacle.rank, {row["arrival"] for row in rows})

    def move(self, waiter: Waiter, rank: Rank) -> Waiter:
        for statement in (_MOVE, _MOVE_NAMES):
            self._tx.run(statement, w_id=waiter.number, to_class=rank[0], to_arrival=rank[1])
        self._forget()
        return waiter._replace(rank=rank)

    def moved(self, waiter: Waiter, step: Step, circle: Sequence[Step]) -> None:
        self.freed += waiter.resources
        self._tx.record(
            "lease:deadlock",
            actor=HUB.id,
            subject=show("L", waiter.number),
            details={
                "why": "moved",
                "before": show("L", step.obstacle.number),
                "cycle": [each.fields for each in self._named(circle)],
            },
        )

    def refuse(self, waiter: Waiter, circle: Sequence[Step]) -> None:
        row = next(row for row in self._tx.all(_WAITS, **self._bound(waiter.who)) if row["id"] == waiter.number)
        steps = [each.fields for each in self._named(circle)]
        new = waiter.number == self._newcomer
        vacate(
            self._tx,
            row,
            "refused",
            "lease:deadlock",
            actor=row["principal"] if new else HUB.id,
            channel=row["channel"] if new else None,
            details={"cycle": steps},
            private=self._private if new else None,
        )
        self._tx.run(_SET_CYCLE, w_id=waiter.number, cycle=dump(steps))
        self._forget()
        self.freed += waiter.resources

    def _bound(self, who: Who) -> dict[str, Any]:
        return {"principal": who[0], "holder": who[1], "now_us": self._tx.now_us}

    def _named(self, circle: Sequence[Step]) -> list[Step]:
        """The steps, where a run that holds something is called by its name."""
        return [each._replace(obstacle=self._called(each.obstacle)) if each.obstacle.run else each for each in circle]

    def _called(self, obstacle: Obstacle) -> Obstacle:
        row = self._tx.one(_RUN, lock_id=obstacle.number) if obstacle.run else None
        return obstacle if row is None else obstacle._replace(label=show("R", row["id"]))


def _waiter(
    number: int,
    principal: str,
    holder: str,
    resources: str,
    mode: str,
    rank_class: int,
    arrival: int,
    approval: int | None,
    replaces: int | None,
) -> Waiter:
    return Waiter(
        number=number,
        who=(principal, holder),
        resources=names_in(resources),
        alone=mode == "exclusive",
        rank=(rank_class, arrival),
        approved=approval is not None,
        replaces=replaces is not None,
    )


def _obstacle(row: Row) -> Obstacle:
    waits = row["state"] == "waiting"
    return Obstacle(
        number=row["id"],
        who=(row["principal"], row["holder"]),
        resources=names_in(row["resources"]),
        waiter=_waiter(*_as_waiter(row)) if waits else None,
        label=show("T", row["ticket"]) if waits else show("L", row["id"]),
        run=not waits and row["kind"] == "run",
    )


def resolve(tx: Tx, row: Row, private: Mapping[str, Any]) -> list[str] | None:
    """The new waiter of that row waits for itself in no way; the resources where somebody may be next now.

    None when nothing had to be done. The row may have been refused: look at it again.
    """
    if not _may_close(tx, row):
        return None
    graph = Waits(tx, row["id"], private)
    deadlock.resolve(graph, _waiter(*_as_waiter(row)))
    return graph.freed or None


def keeps_clear(tx: Tx, row: Row, rank: Rank) -> bool:
    """The waiter has that rank, unless it would wait for itself there."""
    graph = Waits(tx)
    moved = graph.move(_waiter(*_as_waiter(row)), rank)
    if deadlock.find_cycle(graph, moved):
        graph.move(moved, (row["rank_class"], row["arrival"]))
        return False
    return True


def _may_close(tx: Tx, row: Row) -> bool:
    """Whether anybody can be waiting for the holder of that new waiter."""
    if tx.one(_OTHERS, holder=row["holder"], principal=row["principal"], but=row["id"]) is not None:
        return True
    return row["rank_class"] < PLAIN and tx.one(_JUMPS, lease=row["id"]) is not None
