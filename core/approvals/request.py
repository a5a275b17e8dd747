"""Asking: a new approval, its submission, its revisions, and taking it back."""

from __future__ import annotations

from sqlalchemy import insert

from core.agents.budget import demand_budget
from core.agents.standing import demand_at_work
from core.approvals import secret
from core.approvals.approval import Approval, change, create
from core.approvals.backing import NONE, undermine
from core.approvals.closing import close
from core.approvals.freeze import Freeze, demand_thawed, frozen, words
from core.approvals.nudge import NO_CLOCKS
from core.approvals.proposal import Proposal
from core.approvals.states import OPEN, State, demand
from core.cause import Cause
from core.clock import SECOND
from core.errors import Conflict, Forbidden
from core.ids import show
from core.leases.ending import end_for_approval
from core.people.assurance import Assurance
from core.people.directory import HUB, Kind, Principal
from core.policy.hours import after
from core.policy.policy import Policy
from core.store import schema
from core.store.encoding import dump
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import Limits, World

_T = schema.approval
_REVISION = Statement(
    insert(schema.revision), ("approval", "revision", "params", "reason", "bound", "digest", "why", "at")
)


def request(
    tx: Tx,
    proposal: Proposal,
    *,
    requester: Principal,
    channel: str,
    address: str | None,
    assurance: Assurance,
    reason: str | None,
    draft: bool,
    limits: Limits,
    retry_of: Approval | None = None,
    cause: Cause | None = None,
    glass: bool = False,
) -> int:
    """A new approval exists, as DRAFT or SUBMITTED; its number. It is the only one that asks again for `retry_of`.

    Raises TooFast `budget` for an agent past its own, Forbidden `paused` for one that is, Conflict `changed` when
    somebody else has just retried the same.
    With `glass` it runs as soon as it was checked; the caller has made sure that its requester may.
    """
    if requester.kind is Kind.AGENT:
        demand_at_work(tx, requester)
        demand_budget(tx, requester, limits)
    number = tx.next_id("approval")
    state = State.DRAFT if draft else State.SUBMITTED
    policy = proposal.policy
    create(
        tx,
        {
            "id": number,
            "version": 1,
            "state": str(state),
            "revision": 1,
            "action": proposal.action.name,
            "title": proposal.title,
            "params": proposal.params,
            "reason": reason,
            "requester": requester.id,
            "owners": sorted(requester.owners),
            "channel": channel,
            "address": address,
            "assurance": int(assurance),
            "policy": policy.name,
            "policy_json": policy.canonical,
            "resources": list(proposal.resources),
            "validation": [],
            "config_version": proposal.config_version,
            "start": proposal.action.start,
            "hold_us": int(proposal.action.hold_seconds * SECOND),
            "apply_us": int(policy.apply_seconds * SECOND),
            "created_at": tx.now_us,
            "submitted_at": None if draft else tx.now_us,
            "review_expires_at": None if draft else after(tx.now_us, policy.review_seconds, policy.hours),
            "returns": 0,
            "retry_of": retry_of.id if retry_of else None,
            "attempt": retry_of.attempt + 1 if retry_of else 1,
            "cause": cause.by if cause else None,
            "depth": cause.depth if cause else 0,
            "glass": int(glass),
        },
    )
    if retry_of is not None:
        change(tx, retry_of, retried_as=number)
    secret.keep(tx, number, proposal.secrets)
    tx.record(
        "approval:requested",
        actor=requester.id,
        subject=show("A", number),
        channel=channel,
        details={
            "state": str(state),
            "action": proposal.action.name,
            "policy": policy.name,
            "revision": 1,
            "assurance": assurance.word,
            "config": proposal.config_version,
            "attempt": retry_of.attempt + 1 if retry_of else 1,
            **(cause.details if cause else {}),
            **({"glass": True} if glass else {}),
        },
        private={"params": dict(proposal.params), "reason": reason, "title": proposal.title},
    )
    return number


def submit(tx: Tx, world: World, approval: Approval, *, by: Principal, channel: str, policy: Policy) -> None:
    """A draft is handed in by its requester.

    Raises Forbidden `not_yours` for anybody but the requester, Conflict (`wrong_state`, `frozen`).
    """
    demand_own(approval, by)
    demand_thawed(tx, world, approval, "handed in")
    hand_in(tx, approval, by=by.id, channel=channel, policy=policy)


def hand_in(tx: Tx, approval: Approval, *, by: str, channel: str, policy: Policy) -> None:
    """A draft is checked; one that had been handed in before is a new revision, so that no earlier decision counts.

    Raises Conflict `wrong_state`.
    """
    demand(approval.state, State.SUBMITTED)
    revision, override = approval.revision, approval.override_at
    if approval.submitted_at is not None:
        keep_revision(tx, approval, "handed in again")
        revision, override = revision + 1, None
    change(
        tx,
        approval,
        to=State.SUBMITTED,
        revision=revision,
        digest=None,
        bound=None,
        submitted_at=tx.now_us,
        review_expires_at=after(tx.now_us, policy.review_seconds, policy.hours),
        validation=[],
        closed_why=None,
        override_by=approval.override_by if override is not None else None,
        override_why=approval.override_why if override is not None else None,
        override_at=override,
    )
    tx.record(
        "approval:submitted",
        actor=by,
        subject=approval.name,
        channel=channel,
        details={"state": "SUBMITTED", "revision": revision},
    )


def hold_back(tx: Tx, world: World, approval: Approval) -> list[Freeze]:
    """A request for what is frozen is kept as a draft with the reason, so that nothing is lost; the freezes, or []."""
    found = frozen(tx, world, approval)
    if found:
        change(
            tx,
            approval,
            to=State.DRAFT,
            closed_why=words(found, approval.name),
            submitted_at=None,
            review_expires_at=None,
        )
        tx.record(
            "approval:drafted",
            actor=HUB.id,
            subject=approval.name,
            details={
                "state": "DRAFT",
                "why": "frozen",
                "revision": approval.revision,
                "freezes": [e.name for e in found],
            },
        )
    return found


def revise(
    tx: Tx,
    approval: Approval,
    proposal: Proposal,
    *,
    by: str,
    channel: str | None,
    reason: str | None,
    why: str,
) -> None:
    """A new revision is checked anew: earlier decisions no longer count, and the old revision is kept.

    A draft stays one; anything else under way goes through DRAFT to SUBMITTED. Raises Conflict `wrong_state` once a
    run began or the approval ended.
    """
    if approval.state not in OPEN:
        raise Conflict("wrong_state", f"{approval.name} is {approval.state}; it can no longer be changed")
    keep_revision(tx, approval, why)
    state = State.DRAFT if approval.state is State.DRAFT else State.SUBMITTED
    policy = proposal.policy
    review_expires_at = after(tx.now_us, policy.review_seconds, policy.hours) if state is State.SUBMITTED else None
    # The way back to SUBMITTED leads through DRAFT, in one step.
    change(
        tx,
        approval,
        state=str(state),
        revision=approval.revision + 1,
        action=proposal.action.name,
        title=proposal.title,
        params=proposal.params,
        reason=reason,
        policy=policy.name,
        policy_json=policy.canonical,
        resources=list(proposal.resources),
        bound=None,
        digest=None,
        preview=None,
        rollback_preview=None,
        validation=[],
        config_version=proposal.config_version,
        start=proposal.action.start,
        hold_us=int(proposal.action.hold_seconds * SECOND),
        apply_us=int(policy.apply_seconds * SECOND),
        submitted_at=tx.now_us if state is State.SUBMITTED else None,
        review_expires_at=review_expires_at,
        apply_expires_at=None,
        hold_until=None,
        apply_asked_at=None,
        closed_why=None,
        override_by=None,
        override_why=None,
        override_at=None,
        **NO_CLOCKS,
        **NONE,
    )
    undermine(tx, approval, actor=by, why=f"{approval.name} was revised")
    end_for_approval(tx, approval.id)
    if proposal.secrets:
        secret.keep(tx, approval.id, proposal.secrets)
    tx.record(
        "approval:revised",
        actor=by,
        subject=approval.name,
        channel=channel,
        details={"state": str(state), "revision": approval.revision + 1, "why": why, "policy": policy.name},
        private={"params": dict(proposal.params), "reason": reason, "title": proposal.title},
    )


def keep_revision(tx: Tx, approval: Approval, why: str) -> None:
    """The revision as it stands is kept, so that what changed can be shown."""
    tx.run(
        _REVISION,
        approval=approval.id,
        revision=approval.revision,
        params=dump(approval.params),
        reason=approval.reason,
        bound=dump(approval.bound) if approval.bound is not None else None,
        digest=approval.digest,
        why=why,
        at=tx.now_us,
    )


def withdraw(tx: Tx, approval: Approval, *, by: Principal, channel: str, reason: str | None) -> None:
    """The request is taken back by who made it, or by an owner of the agent or service that did."""
    demand_own(approval, by)
    close(tx, approval, State.WITHDRAWN, actor=by.id, channel=channel, why="taken back", comment=reason)


def demand_own(approval: Approval, by: Principal) -> None:
    if by.id != approval.requester and by.id not in approval.owners:
        raise Forbidden("not_yours", f"only {approval.requester} may do this with {approval.name}")
