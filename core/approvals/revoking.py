"""Revoking a grant: nothing more is approved by it, and what it approved and has not started is decided by people."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from core.approvals import grant as granting
from core.approvals.approval import find, from_row
from core.approvals.decide import review_again
from core.approvals.grant import Grant
from core.approvals.rule import rule_of
from core.approvals.stop import demand_may_stop
from core.errors import Conflict
from core.people.directory import Principal
from core.policy.policy import Policy
from core.store import schema
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World

_T = schema.approval
_WAITING = Statement(select(_T).where(_T.c.by_grant == bindparam("grant"), _T.c.state == "APPROVED").order_by(_T.c.id))


def revoke(
    tx: Tx, world: World, grant: Grant, *, by: Principal, channel: str, reason: str | None
) -> tuple[Grant, list[str]]:
    """The grant has ended; as it is now, and the requests that went back to review.

    Whoever may stop what it was chosen with may end it: its requester and their owners, who chose it, who could have,
    who may veto, and the right `stop`. Raises Forbidden `may_not_stop`, Conflict `ended`.
    """
    demand_may_stop(tx, world, find(tx, grant.approval), by)
    if not granting.end(tx, grant, actor=by.id, channel=channel, why="revoked", reason=reason):
        raise Conflict("ended", f"{grant.name} has already ended: {grant.ended}")
    waiting = [from_row(row) for row in tx.all(_WAITING, grant=grant.id)]
    back = [each for each in waiting if (each.apply_expires_at or 0) > tx.now_us]
    for approval in back:
        rule = rule_of(world, approval) or Policy(name=approval.policy)
        review_again(tx, approval, rule, actor=by.id, channel=channel)
    return granting.find(tx, grant.id), [each.name for each in back]
