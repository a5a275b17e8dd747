"""From SUBMITTED to REVIEWING: what validation and preview found, and the digest that decisions are bound to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.approvals import grant
from core.approvals.approval import Approval, change, find
from core.approvals.backing import NONE, backed, undermine
from core.approvals.closing import close
from core.approvals.decide import approve
from core.approvals.digest import digest as digest_of
from core.approvals.freeze import frozen
from core.approvals.glass import demand_way
from core.approvals.ground import by_grant, by_nobody
from core.approvals.nudge import clocks
from core.approvals.owed import owe
from core.approvals.request import keep_revision
from core.approvals.rule import ballot_for
from core.approvals.states import State
from core.errors import Conflict
from core.people.directory import HUB
from core.policy.hours import after
from core.policy.policy import Policy
from core.store.tx import Tx
from core.world import World

MOST_RETURNS = 3
"""Automatic returns to review after which a request expires: the world does not hold still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the checks of a submission found. `problems` is empty when it may be reviewed."""

    validation: Sequence[Mapping[str, Any]]
    preview: Mapping[str, Any] | None
    bound: Mapping[str, Any] | None
    problems: Sequence[str]
    rollback_preview: Mapping[str, Any] | None = None


def enter_review(tx: Tx, world: World, approval: Approval, checked: Checked, policy: Policy) -> State:
    """SUBMITTED becomes REVIEWING with a digest, APPROVED under `allow: true` or by a grant, or DRAFT with the reasons.

    Raises Conflict `wrong_state`, `expired`.
    """
    if approval.state is not State.SUBMITTED:
        raise Conflict("wrong_state", f"{approval.name} is {approval.state}; only what was handed in is checked")
    if checked.problems:
        change(
            tx,
            approval,
            to=State.DRAFT,
            validation=list(checked.validation),
            preview=checked.preview,
            review_expires_at=None,
            closed_why="; ".join(checked.problems),
            **NONE,
        )
        tx.record(
            "approval:drafted",
            actor=HUB.id,
            subject=approval.name,
            details={"state": "DRAFT", "why": "validation failed", "revision": approval.revision},
            private={"problems": list(checked.problems)},
        )
        return State.DRAFT
    assert checked.bound is not None
    digest = digest_of(checked.bound)
    change(
        tx,
        approval,
        to=State.REVIEWING,
        before="review_expires_at",
        validation=list(checked.validation),
        preview=checked.preview,
        rollback_preview=checked.rollback_preview,
        bound=checked.bound,
        digest=digest,
        closed_why=None,
        review_expires_at=after(tx.now_us, policy.review_seconds, policy.hours),
        **clocks(policy, tx.now_us),
    )
    tx.record(
        "approval:submitted",
        actor=HUB.id,
        subject=approval.name,
        details={"state": "REVIEWING", "digest": digest, "revision": approval.revision, "policy": policy.name},
    )
    entered = find(tx, approval.id)
    if entered.glass:
        return _by_glass(tx, world, entered, policy)
    approved = partial(approve, tx, entered, actor=HUB.id, channel=None, before=True, hours=policy.hours)
    if policy.allow:
        approved(ground=by_nobody({approval.requester, *approval.owners}))
        return State.APPROVED
    ballot = ballot_for(world, entered, policy)
    spent = grant.spend(tx, ballot, entered) if not frozen(tx, world, entered) else None
    if spent is None:
        return State.REVIEWING
    approved(ground=by_grant(ballot, grant.backers(tx, spent), spent.name), by_grant=spent)
    return State.APPROVED


def _by_glass(tx: Tx, world: World, approval: Approval, policy: Policy) -> State:
    """APPROVED with nobody asked, and a review is owed; in review like any other when it may not any more."""
    rests = backed(tx, world, approval, policy)
    try:
        if not rests.satisfied:
            raise Conflict("not_eligible", f"{approval.requester} may not break the glass any more")
        demand_way(tx, world, approval, policy)
    except Conflict as conflict:
        change(tx, approval, **NONE)
        tx.record(
            "approval:reopened",
            actor=HUB.id,
            subject=approval.name,
            details={
                "state": "REVIEWING",
                "digest": approval.digest,
                "revision": approval.revision,
                "changed": ["break-glass"],
                "why": conflict.code,
            },
        )
        return State.REVIEWING
    entered = find(tx, approval.id)
    due_at = owe(tx, entered, policy)
    approve(
        tx,
        entered,
        actor=entered.requester,
        channel=entered.channel,
        before=True,
        hours=policy.hours,
        ground=rests.ground,
        review_due_at=due_at,
    )
    return State.APPROVED


def reopen(
    tx: Tx,
    approval: Approval,
    *,
    bound: Mapping[str, Any],
    preview: Mapping[str, Any] | None,
    policy: Policy,
    changed: Sequence[Mapping[str, Any]],
) -> State:
    """The world moved under an approved request: it is a new revision in review, its decisions dropped.

    After three such returns it ends EXPIRED with the reason.
    """
    fields = sorted({str(each["field"]) for each in changed})
    if approval.returns + 1 >= MOST_RETURNS:
        close(
            tx,
            approval,
            State.EXPIRED,
            actor=HUB.id,
            channel=None,
            why=f"the world moved {MOST_RETURNS} times between approval and start ({', '.join(fields)})",
        )
        return State.EXPIRED
    keep_revision(tx, approval, "the world moved")
    digest = digest_of(bound)
    change(
        tx,
        approval,
        to=State.REVIEWING,
        revision=approval.revision + 1,
        returns=approval.returns + 1,
        bound=bound,
        preview=preview,
        digest=digest,
        apply_expires_at=None,
        hold_until=None,
        apply_asked_at=None,
        override_by=None,
        override_why=None,
        override_at=None,
        review_expires_at=after(tx.now_us, policy.review_seconds, policy.hours),
        **clocks(policy, tx.now_us),
        **NONE,
    )
    undermine(tx, approval, actor=HUB.id, why=f"the world moved under {approval.name}")
    tx.record(
        "approval:reopened",
        actor=HUB.id,
        subject=approval.name,
        details={"state": "REVIEWING", "digest": digest, "revision": approval.revision + 1, "changed": fields},
        private={"differences": [dict(each) for each in changed]},
    )
    return State.REVIEWING
