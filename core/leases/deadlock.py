"""Looking for a circle of holders who wait for each other, when a request begins to wait.

A request waits for the leases and for the live waiters of better rank that conflict with it; a holder waits by all
its requests. A circle can close only here: a request without a named holder is its own holder, holds nothing else,
and so never closes one.
"""

from __future__ import annotations

from collections import deque

from sqlalchemy import BigInteger, bindparam, select

from core.leases.looking import obstacles_of
from core.leases.resource import conflict
from core.leases.terms import MAX_HOPS
from core.store import schema
from core.store.encoding import load
from core.store.rows import Row
from core.store.statement import Statement
from core.store.tx import Tx

Step = dict[str, str]
Who = tuple[str, str]

_lease = schema.lease
_WAITS = Statement(
    select(_lease)
    .where(
        _lease.c.principal == bindparam("principal"),
        _lease.c.state == "waiting",
        _lease.c.holder == bindparam("holder"),
        _lease.c.expires_at > bindparam("now_us", type_=BigInteger()),
    )
    .order_by(_lease.c.arrival)
)


def find_cycle(tx: Tx, request: Row) -> list[Step]:
    """The circle that the waiting `request` closes: who waits for which resource of the next; empty for none.

    Looks at MAX_HOPS requests, nearest first; a longer circle ends by its time limits instead.
    """
    start = _who(request)
    reached: dict[Who, tuple[Who, Step]] = {}
    todo = deque([request])
    hops = 0
    while todo and hops < MAX_HOPS:
        hops += 1
        waiting = todo.popleft()
        for obstacle in obstacles_of(tx, waiting):
            other = _who(obstacle)
            if obstacle["lapsed"] or other in reached:
                continue
            reached[other] = (_who(waiting), _step(waiting, obstacle))
            if other == start:
                return _path(reached, start)
            todo.extend(tx.all(_WAITS, principal=other[0], holder=other[1], now_us=tx.now_us))
    return []


def _who(row: Row) -> Who:
    return row["principal"], row["holder"]


def _step(waiting: Row, obstacle: Row) -> Step:
    theirs: list[str] = load(obstacle["resources"])
    wanted = next(name for name in load(waiting["resources"]) if any(conflict(name, other) for other in theirs))
    return {"holder": waiting["holder"], "principal": waiting["principal"], "resource": wanted}


def _path(reached: dict[Who, tuple[Who, Step]], start: Who) -> list[Step]:
    at, step = reached[start]
    steps = [step]
    while at != start:
        at, step = reached[at]
        steps.append(step)
    return steps[::-1]
