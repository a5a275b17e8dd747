"""What an agent may ask for, and the one notice that its owner gets when it wants more."""

from __future__ import annotations

from sqlalchemy import bindparam, update

from core.agents.standing import ensure
from core.clock import SECOND
from core.people.directory import HUB, Principal
from core.store import schema
from core.store.statement import Statement
from core.store.tx import Tx

NOTICE_EVERY_SECONDS = 3600.0
_T = schema.agent
_NOTICED = Statement(update(_T).where(_T.c.id == bindparam("w_id")).values(told_at=bindparam("at")))


def notice(tx: Tx, agent: Principal, why: str) -> None:
    """The agent's owner is told that it reached its budget, once an hour at most."""
    known = ensure(tx, agent.id)
    if known.told_at is not None and tx.now_us - known.told_at < NOTICE_EVERY_SECONDS * SECOND:
        return
    tx.run(_NOTICED, w_id=agent.id, at=tx.now_us)
    tx.record("agent:budget", actor=HUB.id, subject=agent.id, details={"why": why})
