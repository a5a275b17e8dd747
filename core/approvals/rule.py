"""The rule that a request is under: the policy that was chosen for it, with the seats that its action adds."""

from __future__ import annotations

from dataclasses import replace

from core.apply.action import Action
from core.approvals.approval import Approval
from core.errors import Conflict
from core.policy.ballot import Ballot
from core.policy.counting import barred_by
from core.policy.policy import Policy
from core.world import World


def with_reviewers(policy: Policy, action: Action | None) -> Policy:
    """`policy` with the action's own reviewers among its seats; an action with reviewers is never simply allowed."""
    if action is None or not action.reviewers:
        return policy
    return replace(policy, require=(*policy.require, *action.reviewers), allow=False)


def rule_of(world: World, approval: Approval) -> Policy | None:
    """The rule of the request as configured now, or None when its policy is gone."""
    for policy in world.policies:
        if policy.name == approval.policy:
            return with_reviewers(policy, world.actions.get(approval.action))
    return None


def rule_in_force(world: World, approval: Approval) -> Policy:
    """The rule that the request is bound to. Raises Conflict `policy_changed` when the configuration moved on."""
    rule = rule_of(world, approval)
    if rule is None or rule.canonical != approval.policy_json:
        raise Conflict("policy_changed", f"the policy of {approval.name} has just changed; it is being checked again")
    return rule


def ballot_of(world: World, approval: Approval) -> Ballot | None:
    """Who may answer to the request's seats now, or None when its policy is gone."""
    rule = rule_of(world, approval)
    return ballot_for(world, approval, rule) if rule is not None else None


def ballot_for(world: World, approval: Approval, rule: Policy) -> Ballot:
    """Who may answer to the seats of `rule` on the request, now."""
    action = world.actions.get(approval.action)
    barred = barred_by(approval.requester, approval.owners, world.people)
    return Ballot(rule, world.people, barred, action.visible_to if action is not None else ())
