"""Suspension: an agent's keys, open requests and runs end, and it may do nothing until somebody lifts it (DESIGN 3.6)."""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from core.agents.standing import ensure
from core.approvals.approval import from_row
from core.approvals.states import OPEN, State
from core.approvals.stop import stop
from core.errors import Conflict, Forbidden
from core.people import keys
from core.people.directory import Principal
from core.store import schema
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World

_T = schema.agent
_SUSPEND = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"))
    .values(suspended_at=bindparam("at"), suspended_by=bindparam("by"), suspended_why=bindparam("why"))
)
_A = schema.approval
_LEFT = Statement(
    select(_A)
    .where(
        _A.c.requester == bindparam("requester"),
        _A.c.state.in_([str(each) for each in (*OPEN, State.APPLYING, State.ROLLING_BACK)]),
    )
    .order_by(_A.c.id)
)


def suspend(tx: Tx, agent: Principal, *, by: Principal, channel: str, reason: str) -> dict[str, int]:
    """Nothing of the agent goes on: `{keys, requests}` that ended; its runs are being killed.

    Raises Conflict `already_suspended`.
    """
    if ensure(tx, agent.id).suspended_at is not None:
        raise Conflict("already_suspended", f"{agent.id} is suspended already")
    tx.run(_SUSPEND, w_id=agent.id, at=tx.now_us, by=by.id, why=reason)
    revoked = keys.revoke_all(tx, agent.id, by=by.id, channel=channel, why="the agent was suspended")
    left = [from_row(row) for row in tx.all(_LEFT, requester=agent.id)]
    for approval in left:
        stop(tx, approval, by=by, channel=channel, reason=f"{agent.id} was suspended")
    ended = {"keys": revoked, "requests": len(left)}
    tx.record(
        "agent:suspended", actor=by.id, subject=agent.id, channel=channel, details=ended, private={"reason": reason}
    )
    return ended


def unsuspend(tx: Tx, world: World, agent: Principal, *, by: Principal, channel: str) -> None:
    """The agent may act again, with new keys. Raises Conflict `not_suspended`, Forbidden.

    An owner lifts what an owner imposed; what an administrator imposed needs the right `stop`.
    """
    known = ensure(tx, agent.id)
    if known.suspended_at is None:
        raise Conflict("not_suspended", f"{agent.id} is not suspended")
    if known.suspended_by not in agent.owners and not world.rights.has(by, "stop"):
        raise Forbidden("not_allowed", f"{known.suspended_by} suspended {agent.id}; lifting it needs the right stop")
    tx.run(_SUSPEND, w_id=agent.id, at=None, by=None, why=None)
    tx.record("agent:resumed", actor=by.id, subject=agent.id, channel=channel, details={"was": "suspended"})
