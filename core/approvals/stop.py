"""Stop: one run, one request that has not run, or everything until `resume`."""

from __future__ import annotations

from core.approvals.approval import Approval
from core.approvals.closing import close
from core.approvals.decision import decisions
from core.approvals.flags import clear, halt, halted
from core.approvals.rule import ballot_of
from core.approvals.run import Run, ask_stop, find_run
from core.approvals.states import State
from core.errors import Conflict, Forbidden
from core.people.directory import Principal
from core.store.tx import Tx
from core.world import World


def demand_may_stop(tx: Tx, world: World, approval: Approval, by: Principal) -> None:
    """Nothing, for the requester, an owner, who decided or could have or may veto, and the right `stop`.

    Raises Forbidden.
    """
    if by.id == approval.requester or by.id in approval.owners or world.rights.has(by, "stop"):
        return
    if any(each.by == by.id for each in decisions(tx, approval.id, approval.revision)):
        return
    ballot = ballot_of(world, approval)
    if ballot is not None and (ballot.eligible(by.id) or ballot.vetoes(by.id) is not None):
        return
    raise Forbidden("may_not_stop", f"{approval.name} is stopped by its requester, its approvers, or the right stop")


def stop(tx: Tx, approval: Approval, *, by: Principal, channel: str, reason: str) -> Run | None:
    """Its run shall be killed (the Run is returned), or it never starts. Raises Conflict when there is nothing to stop."""
    if approval.state in (State.APPLYING, State.ROLLING_BACK):
        number = approval.run if approval.state is State.APPLYING else approval.rollback_run
        assert number is not None
        run = find_run(tx, number)
        if ask_stop(tx, number, by.id):
            tx.record(
                "apply:stopped",
                actor=by.id,
                subject=approval.name,
                channel=channel,
                details={"run": run.name},
                private={"reason": reason},
            )
        return run
    if approval.state in (State.REVIEWING, State.APPROVED):
        close(tx, approval, State.REJECTED, actor=by.id, channel=channel, why=f"stopped by {by.id}", comment=reason)
        return None
    if approval.state in (State.SUBMITTED, State.DRAFT):
        close(tx, approval, State.WITHDRAWN, actor=by.id, channel=channel, why=f"stopped by {by.id}", comment=reason)
        return None
    raise Conflict("wrong_state", f"{approval.name} is {approval.state}; there is nothing left to stop")


def stop_all(tx: Tx, *, by: Principal, channel: str, reason: str) -> None:
    """Nothing starts until `resume_all`; the hub kills what runs. Saying it twice changes nothing."""
    if halted(tx) is not None:
        return
    halt(tx, f"by {by.id}")
    tx.record("hub:halted", actor=by.id, channel=channel, private={"reason": reason})


def resume_all(tx: Tx, *, by: Principal, channel: str) -> None:
    """Runs may start again. Raises Conflict when nothing was stopped."""
    if not clear(tx):
        raise Conflict("not_halted", "nothing is stopped")
    tx.record("hub:resumed", actor=by.id, channel=channel)
