"""Who owes which review: what ran by break-glass and nobody else has looked at, as somebody sees it."""

from __future__ import annotations

from dataclasses import dataclass

from core.approvals.approval import Approval, find
from core.approvals.glass import may_review
from core.approvals.owed import Owed, all_owed
from core.approvals.rule import ballot_of
from core.approvals.seeing import may_see
from core.people.directory import Principal
from core.store.rows import Reader
from core.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedReview:
    """One review that is owed: to what, and who could give it."""

    approval: Approval
    owed: Owed
    could: tuple[str, ...]
    """People by id."""


def owed_reviews(reader: Reader, world: World, viewer: Principal, *, mine: bool = False) -> list[OwedReview]:
    """The reviews owed to what `viewer` may see, the one due first first; with `mine` those that they could give or owe."""
    found = []
    for each in all_owed(reader):
        approval = find(reader, each.approval)
        could = reviewers(world, approval)
        if mine and viewer.id != approval.requester and viewer.id not in could:
            continue
        if may_see(world, viewer, approval):
            found.append(OwedReview(approval=approval, owed=each, could=could))
    return found


def reviewers(world: World, approval: Approval) -> tuple[str, ...]:
    """Who could review it now, by id."""
    ballot = ballot_of(world, approval)
    if ballot is None:
        return ()
    return tuple(sorted(each.id for each in world.people if may_review(ballot, each.id)))
