"""What an approved request rests on: decisions on it, a grant that others chose before, or break-glass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.approvals import grant, owed
from core.approvals.approval import Approval
from core.approvals.decision import standing
from core.approvals.glass import in_group
from core.approvals.ground import Ground, by_glass, by_grant, by_policy
from core.approvals.rule import ballot_for
from core.ids import show
from core.policy.ballot import Vote
from core.policy.counting import count_on
from core.policy.policy import Policy
from core.store.rows import Reader
from core.store.tx import Tx
from core.world import World

NONE: dict[str, Any] = {"by_grant": None, "glass": 0}
"""The columns of a revision that rests on nothing but the decisions on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backing:
    """Whether it is enough, with the people, groups, owners and delegations of now."""

    satisfied: bool
    by: tuple[str, ...]
    """Who stands behind it, by id."""
    ground: Ground


def backing(reader: Reader, approval: Approval) -> list[Vote]:
    """The verdicts that count for it now: those on this revision, then the approvals of the grant that it used."""
    own = standing(reader, approval)
    if approval.by_grant is None:
        return own
    said = {(each.person, each.on_behalf_of) for each in own}
    chosen = grant.backers(reader, grant.find(reader, approval.by_grant))
    return [*own, *(each for each in chosen if (each.person, each.on_behalf_of) not in said)]


def backed(reader: Reader, world: World, approval: Approval, policy: Policy) -> Backing:
    """What the approval rests on, counted again under `policy`."""
    ballot, votes = ballot_for(world, approval, policy), backing(reader, approval)
    if approval.glass:
        satisfied = in_group(policy, world.people.find(approval.requester))
        return Backing(satisfied=satisfied, by=(), ground=by_glass(ballot, votes, approval.requester))
    count = count_on(ballot, votes)
    ground = by_policy(ballot, votes)
    if approval.by_grant is not None:
        ground = by_grant(ballot, votes, show("G", approval.by_grant))
    return Backing(satisfied=count.satisfied, by=tuple(sorted(count.acted)), ground=ground)


def undermine(tx: Tx, approval: Approval, *, actor: str, why: str) -> None:
    """What the approval of this revision led to is over: its grants have ended, and it owes no review, as it never ran."""
    owed.forgive(tx, approval)
    grant.end_chosen_with(tx, approval, actor=actor, why=why)
