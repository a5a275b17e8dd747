"""Who may know of an approval at all."""

from __future__ import annotations

from core.approvals.approval import Approval
from core.approvals.proposal import visible
from core.approvals.rule import ballot_of
from core.people.directory import Principal
from core.world import World


def may_see(world: World, principal: Principal, approval: Approval) -> bool:
    """Whether `principal` may know of the approval: everybody, unless its action is for some groups only."""
    action = world.actions.get(approval.action)
    if principal.id == approval.requester or principal.id in approval.owners:
        return True
    if action is None or visible(action, principal):
        return world.rights.has(principal, "read")
    ballot = ballot_of(world, approval)
    return ballot is not None and (ballot.eligible(principal.id) or ballot.vetoes(principal.id) is not None)
