"""What an approved request rests on: decisions on it, or a grant that others chose before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.approvals import grant
from core.approvals.approval import Approval
from core.approvals.decision import standing
from core.approvals.ground import Ground, by_grant, by_policy
from core.approvals.rule import ballot_for
from core.ids import show
from core.policy.ballot import Vote
from core.policy.counting import count_on
from core.policy.policy import Policy
from core.store.rows import Reader
from core.store.tx import Tx
from core.world import World

NONE: dict[str, Any] = {"by_grant": None}
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
    return [*own, *grant.backers(reader, grant.find(reader, approval.by_grant))]


def backed(reader: Reader, world: World, approval: Approval, policy: Policy) -> Backing:
    """What the approval rests on, counted again under `policy`."""
    ballot, votes = ballot_for(world, approval, policy), backing(reader, approval)
    count = count_on(ballot, votes)
    ground = by_policy(ballot, votes)
    if approval.by_grant is not None:
        ground = by_grant(ballot, votes, show("G", approval.by_grant))
    return Backing(satisfied=count.satisfied, by=tuple(sorted(count.acted)), ground=ground)


def undermine(tx: Tx, approval: Approval, *, actor: str, why: str) -> None:
    """Nothing rests on the approval of this revision any more: grants that were chosen with it have ended."""
    grant.end_chosen_with(tx, approval, actor=actor, why=why)
