"""What an agent may ask for, what it has asked for, and the one notice that its owner gets when it wants more."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import BigInteger, bindparam, func, literal_column, or_, select, update

from core.agents.standing import ensure
from core.approvals.states import OPEN, State
from core.clock import SECOND
from core.errors import TooFast
from core.people.directory import HUB, Principal
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import Limits

NOTICE_EVERY_SECONDS = 3600.0
_HOUR = 3600 * SECOND

_A = schema.approval
_OPEN_OF = Statement(
    select(func.count().label("n")).where(
        _A.c.requester == bindparam("requester"),
        or_(*(_A.c.state == literal_column(f"'{state}'") for state in sorted((*OPEN, State.APPLYING)))),
    )
)
_RECENT_OF = Statement(
    select(func.count().label("n")).where(
        _A.c.requester == bindparam("requester"), _A.c.created_at > bindparam("since", type_=BigInteger())
    )
)
_T = schema.agent
_NOTICED = Statement(update(_T).where(_T.c.id == bindparam("w_id")).values(told_at=bindparam("at")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What an agent has open and asked for within the last hour, and how much of each it may."""

    open: int
    most_open: int
    asked: int
    most_per_hour: int

    def as_json(self) -> dict[str, int]:
        """`{open, most_open, asked, most_per_hour}`."""
        return asdict(self)


def budget_of(reader: Reader, agent: Principal, limits: Limits) -> Budget:
    """The agent's budget now: its own, or that of all agents."""
    return Budget(
        open=_count(reader, _OPEN_OF, requester=agent.id),
        most_open=agent.most_open if agent.most_open is not None else limits.agents_open,
        asked=_count(reader, _RECENT_OF, requester=agent.id, since=reader.now_us - _HOUR),
        most_per_hour=agent.most_per_hour if agent.most_per_hour is not None else limits.agents_per_hour,
    )


def demand_budget(tx: Tx, agent: Principal, limits: Limits) -> None:
    """Nothing, while the agent may ask for more. Raises TooFast `budget`."""
    now = budget_of(tx, agent, limits)
    if now.open >= now.most_open:
        raise TooFast("budget", f"{agent.id} has {now.open} open requests, which is its limit", retry_after_seconds=60)
    if now.asked >= now.most_per_hour:
        raise TooFast(
            "budget", f"{agent.id} asked {now.asked} times within an hour, its limit", retry_after_seconds=600
        )


def notice(tx: Tx, agent: Principal, why: str) -> None:
    """The agent's owner is told that it reached its budget, once an hour at most."""
    known = ensure(tx, agent.id)
    if known.told_at is not None and tx.now_us - known.told_at < NOTICE_EVERY_SECONDS * SECOND:
        return
    tx.run(_NOTICED, w_id=agent.id, at=tx.now_us)
    tx.record("agent:budget", actor=HUB.id, subject=agent.id, details={"why": why})


def _count(reader: Reader, statement: Statement, **values: object) -> int:
    row = reader.one(statement, **values)
    return int(row["n"]) if row is not None else 0
