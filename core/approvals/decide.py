"""The one function that decides, whatever the channel (P2, P9, P11, P12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.approvals.approval import Approval, change
from core.approvals.closing import close
from core.approvals.decision import Decision, Verdict, add, decisions, replace_own, votes
from core.approvals.rule import rule_in_force
from core.approvals.states import State
from core.errors import Conflict, Forbidden, Invalid, Stale
from core.people.assurance import Assurance
from core.people.directory import Kind, Principal
from core.policy.counting import barred_by, eligible, tally
from core.policy.policy import Policy
from core.store.tx import Tx
from core.world import World

_WORDS = {"approve": "approve", "reject": "reject", "request-changes": "ask for changes to"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a decision led to."""

    state: State
    first: bool
    """False when the same person had said the same before: nothing changed."""


def decide(
    tx: Tx,
    world: World,
    approval: Approval,
    *,
    verdict: Verdict,
    by: Principal,
    digest: str | None,
    channel: str,
    assurance: Assurance,
    comment: str | None,
    evidence: Mapping[str, str] = MappingProxyType({}),
) -> Decided:
    """The verdict is recorded and counted; the approval moves when that is enough.

    Raises Invalid `digest_required`, Stale `digest_stale`, Forbidden (`not_a_person`, `own_request`,
    `not_eligible`, `assurance_too_low`), Conflict (`wrong_state`, `expired`, `policy_changed`).
    """
    if by.kind is not Kind.PERSON:
        raise Forbidden("not_a_person", "agents and services ask; only people decide")
    _demand_state(approval, verdict)
    policy = rule_in_force(world, approval)
    barred = barred_by(approval.requester, approval.owners, world.people)
    if by.id in barred:
        raise Forbidden("own_request", f"you asked for {approval.name}, or own who did; somebody else must decide")
    if not eligible(policy, by.id, world.people, barred):
        raise Forbidden("not_eligible", f"policy {policy.name} does not count you; `who {approval.name}` lists who can")
    _demand_digest(approval, digest)
    _demand_assurance(policy, verdict, assurance)
    given = decisions(tx, approval.id, approval.revision)
    mine = next((each for each in given if each.by == by.id and each.on_behalf_of is None), None)
    if mine is not None and mine.verdict == verdict:
        return Decided(state=approval.state, first=False)
    decision = Decision(
        id=tx.next_id("decision"),
        approval=approval.id,
        revision=approval.revision,
        digest=approval.digest or "",
        by=by.id,
        on_behalf_of=None,
        verdict=verdict,
        channel=channel,
        assurance=int(assurance),
        comment=comment,
        evidence=evidence,
        at=tx.now_us,
    )
    add(tx, decision) if mine is None else replace_own(tx, mine, decision)
    tx.record(
        "approval:decided",
        actor=by.id,
        subject=approval.name,
        channel=channel,
        details={
            "verdict": verdict,
            "revision": approval.revision,
            "digest": approval.digest,
            "assurance": assurance.word,
            "evidence": dict(evidence),
        },
        private={"comment": comment} if comment else {},
    )
    return Decided(state=_move(tx, world, approval, policy, decision, barred), first=True)


def _move(
    tx: Tx, world: World, approval: Approval, policy: Policy, decision: Decision, barred: frozenset[str]
) -> State:
    if decision.verdict == "reject":
        close(
            tx,
            approval,
            State.REJECTED,
            actor=decision.by,
            channel=decision.channel,
            why=f"rejected by {decision.by}",
            comment=decision.comment,
        )
        return State.REJECTED
    if decision.verdict == "request-changes":
        change(tx, approval, to=State.DRAFT, before="review_expires_at", digest=None, review_expires_at=None)
        tx.record(
            "approval:drafted",
            actor=decision.by,
            subject=approval.name,
            channel=decision.channel,
            details={"state": "DRAFT", "why": "changes asked", "revision": approval.revision},
            private={"comment": decision.comment} if decision.comment else {},
        )
        return State.DRAFT
    count = tally(policy, votes(decisions(tx, approval.id, approval.revision)), world.people, barred)
    if not count.satisfied:
        change(tx, approval, before="review_expires_at")
        return approval.state
    approve(tx, approval, actor=decision.by, channel=decision.channel, before=True)
    return State.APPROVED


def approve(tx: Tx, approval: Approval, *, actor: str, channel: str | None, before: bool) -> None:
    """The request is APPROVED: its apply clock runs, and its hold window is open."""
    hold_until = tx.now_us + approval.hold_us if approval.hold_us else None
    change(
        tx,
        approval,
        to=State.APPROVED,
        before="review_expires_at" if before else None,
        apply_expires_at=tx.now_us + approval.hold_us + approval.apply_us,
        hold_until=hold_until,
    )
    tx.record(
        "approval:approved",
        actor=actor,
        subject=approval.name,
        channel=channel,
        details={"state": "APPROVED", "digest": approval.digest, "policy": approval.policy},
    )


def _demand_state(approval: Approval, verdict: Verdict) -> None:
    fits = approval.state is State.REVIEWING or (verdict == "reject" and approval.state is State.APPROVED)
    if not fits:
        raise Conflict(
            "wrong_state",
            f"{approval.name} is {approval.state}; it is too late, or too early, to {_WORDS[verdict]} it",
            state=str(approval.state),
        )


def _demand_digest(approval: Approval, digest: str | None) -> None:
    if digest is None:
        raise Invalid(
            "digest_required", f"say which revision you decide on: send the digest that `show {approval.name}` gives"
        )
    if digest != approval.digest:
        raise Stale(
            "digest_stale",
            f"{approval.name} has changed since you saw it; look at it again",
            revision=approval.revision,
        )


def _demand_assurance(policy: Policy, verdict: Verdict, assurance: Assurance) -> None:
    wanted = policy.min_assurance if verdict == "approve" else Assurance.EMAIL
    if assurance < wanted:
        raise Forbidden(
            "assurance_too_low",
            f"this needs {wanted.word} and you come with {assurance.word}; sign in on the page and decide there",
            needs=wanted.word,
            has=assurance.word,
        )
