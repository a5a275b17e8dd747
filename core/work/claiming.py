"""Claiming: one agent takes one piece of work, and nobody else has it."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import BigInteger, bindparam, func, select, update

from core.agents.standing import demand_at_work
from core.approvals.flags import halted
from core.approvals.run import find_run
from core.clock import rfc3339
from core.errors import Conflict, TooFast
from core.people.directory import Principal
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.work.work import Work, find_work, of_row

MOST_AT_ONCE = 8
"""Pieces of work that one agent may have claimed."""
_LOOKED_AT = 200

_T = schema.work
_QUEUED = Statement(
    select(_T)
    .where(_T.c.state == "queued", _T.c.due_at <= bindparam("now", type_=BigInteger()))
    .order_by(_T.c.priority.desc(), _T.c.run)
    .limit(_LOOKED_AT)
)
_OF = Statement(select(func.count().label("n")).where(_T.c.state == "claimed", _T.c.agent == bindparam("agent")))
_CLAIM = Statement(
    update(_T)
    .where(_T.c.run == bindparam("w_run"), _T.c.state == "queued")
    .values(
        state="claimed",
        agent=bindparam("agent"),
        claim=bindparam("claim"),
        claimed_at=bindparam("at"),
        expires_at=bindparam("expires_at"),
        tries=bindparam("tries"),
    )
)


def claimable(reader: Reader, agent: Principal) -> Work | None:
    """The best work that the agent may take now: the highest priority, then the oldest."""
    rows = reader.all(_QUEUED, now=reader.now_us)
    return next((work for work in map(of_row, rows) if set(work.labels) <= agent.labels), None)


def claim(tx: Tx, agent: Principal, *, channel: str) -> Work | None:
    """The agent has the work, under a claim of its own; None when nothing waits for it.

    Raises Forbidden `paused`, Conflict `halted`, TooFast `too_many_claims`.
    """
    demand_at_work(tx, agent)
    if (why := halted(tx)) is not None:
        raise Conflict("halted", f"everything is stopped: {why}")
    row = tx.one(_OF, agent=agent.id)
    if row is not None and row["n"] >= MOST_AT_ONCE:
        raise TooFast(
            "too_many_claims", f"{agent.id} has {MOST_AT_ONCE} pieces of work; finish one first", retry_after_seconds=30
        )
    found = claimable(tx, agent)
    if found is None:
        return None
    taken = tx.run(
        _CLAIM,
        w_run=found.run,
        agent=agent.id,
        claim=secrets.token_urlsafe(18),
        at=tx.now_us,
        expires_at=min(tx.now_us + found.ttl_us, found.until),
        tries=found.tries + 1,
    )
    if taken != 1:
        return None
    tx.record(
        "apply:claimed",
        actor=agent.id,
        subject=found.about,
        channel=channel,
        details={"run": found.name, "try": found.tries + 1},
    )
    return find_work(tx, found.run)


def claimed_json(reader: Reader, work: Work) -> dict[str, Any]:
    """What the agent needs: the bound parameters, its claim, the fencing token, how often to be heard of."""
    run = find_run(reader, work.run)
    return {
        **work.as_json(),
        "params": dict(work.params),
        "claim": work.claim,
        "token": run.token,
        "ttl_seconds": work.ttl_us / 1_000_000,
        "expires_at": rfc3339(work.expires_at or 0),
    }
