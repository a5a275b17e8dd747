"""The ends of an approval that never ran: rejected, withdrawn, expired, all in one place."""

from __future__ import annotations

from core.approvals import secret
from core.approvals.approval import Approval, change
from core.approvals.backing import undermine
from core.approvals.nudge import NO_CLOCKS
from core.approvals.states import State
from core.leases.ending import end_for_approval
from core.store.tx import Tx

_EVENTS = {
    State.REJECTED: "approval:rejected",
    State.WITHDRAWN: "approval:withdrawn",
    State.EXPIRED: "approval:expired",
}


def close(
    tx: Tx,
    approval: Approval,
    to: State,
    *,
    actor: str,
    channel: str | None,
    why: str,
    comment: str | None = None,
) -> None:
    """The approval has ended as `to`: its secrets are gone, and what it waited for or held is free."""
    change(tx, approval, to=to, closed_at=tx.now_us, closed_why=why, **NO_CLOCKS)
    secret.drop(tx, approval.id)
    tx.record(
        _EVENTS[to],
        actor=actor,
        subject=approval.name,
        channel=channel,
        details={"state": str(to), "why": why, "revision": approval.revision},
        private={"comment": comment} if comment else {},
    )
    undermine(tx, approval, actor=actor, why=f"{approval.name} ended {to}")
    end_for_approval(tx, approval.id)
