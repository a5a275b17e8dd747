"""The one function that decides, whatever the channel (P2, P9, P11, P12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from core.approvals import grant
from core.approvals.approval import Approval, change, find
from core.approvals.backing import NONE, backed, backing, undermine
from core.approvals.closing import close
from core.approvals.decision import Again, Decision, Verdict, add, decisions, votes, withdraw_own
from core.approvals.delegation import proxies
from core.approvals.flags import is_in_force
from core.approvals.freeze import demand_thawed
from core.approvals.grant import Grant
from core.approvals.ground import Ground, by_policy
from core.approvals.nudge import NO_CLOCKS, clocks
from core.approvals.rule import ballot_for, rule_in_force
from core.approvals.states import State
from core.approvals.terms import terms_digest
from core.clock import SECOND
from core.errors import Conflict, Forbidden, Invalid, Stale
from core.ids import show
from core.leases.ending import end_for_approval
from core.people.assurance import Assurance, demand_assurance
from core.people.directory import HUB, Kind, Principal
from core.policy.ballot import Ballot, Vote
from core.policy.confirm import confirmed
from core.policy.counting import count_on, rejected
from core.policy.hours import after
from core.policy.policy import Hours, Policy
from core.policy.proxy import Voice, silent, voices
from core.store.tx import Tx
from core.world import World

_WORDS = {"approve": "approve", "reject": "reject", "request-changes": "ask for changes to"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a decision led to."""

    state: State
    first: bool
    """False when the same person had said the same before: nothing changed."""
    voices: tuple[Voice, ...] = ()
    """With which voices it was said; () when nothing changed."""
    grant: Grant | None = None
    """The grant that exists from now on, because this completed who had to choose it."""


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
    typed: str | None = None,
    again: Again | None = None,
) -> Decided:
    """The verdict is recorded and counted; the approval moves when that is enough.

    `typed` is what was typed to confirm it, where the policy asks for that. With `again` an approval also chooses a
    grant, which exists once those who chose the same are enough.
    Raises Invalid (`digest_required`, `confirmation_required`, `confirmation_wrong`), Stale `digest_stale`, Forbidden
    (`not_a_person`, `own_request`, `not_eligible`, `assurance_too_low`), Conflict (`wrong_state`, `expired`,
    `policy_changed`); for `again` also what `core.approvals.grant.demand_grantable` raises.
    """
    if by.kind is not Kind.PERSON:
        raise Forbidden("not_a_person", "agents and services ask; only people decide")
    _demand_state(approval, verdict)
    if verdict == "approve":
        demand_thawed(tx, world, approval, "approved")
    policy = rule_in_force(world, approval)
    ballot = ballot_for(world, approval, policy)
    if by.id in ballot.barred:
        raise Forbidden("own_request", f"you asked for {approval.name}, or own who did; somebody else must decide")
    given = decisions(tx, approval.id, approval.revision)
    speaking = _voices(tx, ballot, approval, by, verdict, given)
    _demand_digest(approval, digest)
    demand_assurance(assurance, policy.min_assurance if verdict == "approve" else Assurance.EMAIL)
    if verdict == "approve":
        evidence = {**evidence, **confirmed(policy, approval.name, typed)}
    if again is not None:
        grant.demand_grantable(approval, policy, again)
    mine = [each for each in given if each.by == by.id]
    if mine and _says_nothing_new(mine, verdict, speaking, again):
        return Decided(state=approval.state, first=False)
    said = [
        Decision(
            id=tx.next_id("decision"),
            approval=approval.id,
            revision=approval.revision,
            digest=approval.digest or "",
            by=by.id,
            on_behalf_of=voice.on_behalf_of,
            verdict=verdict,
            channel=channel,
            assurance=int(assurance),
            comment=comment,
            evidence=evidence,
            at=tx.now_us,
            delegation=voice.delegation,
            again=again,
        )
        for voice in speaking
    ]
    _keep(tx, approval, said, mine)
    state = _move(tx, ballot, approval, said[0], backing(tx, approval))
    agreed = None
    if again is not None and state is State.APPROVED:
        given = decisions(tx, approval.id, approval.revision)
        agreed = grant.agree(tx, ballot, approval, given, again)
    return Decided(state=state, first=True, voices=tuple(speaking), grant=agreed)


def _voices(
    tx: Tx, ballot: Ballot, approval: Approval, by: Principal, verdict: Verdict, given: Sequence[Decision]
) -> list[Voice]:
    """With which voices the verdict is given. Raises Forbidden `not_eligible` with why there is none."""
    lent = [each for each in proxies(tx, approval.action) if each.delegate == by.id]
    others = votes(tx, approval, [each for each in given if each.by != by.id])
    speaking = voices(ballot, by.id, verdict, votes=others, proxies=lent)
    if speaking:
        return speaking
    name = ballot.policy.name
    reasons = [why for each in lent if (why := silent(ballot, each, others))]
    said = f"policy {name} does not count you; `who {approval.name}` lists who can"
    raise Forbidden("not_eligible", "; ".join([said, *reasons]))


def _says_nothing_new(
    mine: Sequence[Decision], verdict: Verdict, speaking: Sequence[Voice], again: Again | None
) -> bool:
    """Whether somebody repeats what stands, with no voice that they had not and the same grant."""
    stands = {(each.verdict, each.on_behalf_of, each.delegation, each.again) for each in mine}
    return all((verdict, each.on_behalf_of, each.delegation, again) in stands for each in speaking)


def _keep(tx: Tx, approval: Approval, said: Sequence[Decision], mine: Sequence[Decision]) -> None:
    """What is said is stored in place of what the same person had said, with an entry for each voice."""
    withdraw_own(tx, mine)
    gone = [each.voice for each in mine]
    for decision in said:
        add(tx, decision)
        details: dict[str, object] = {
            "verdict": decision.verdict,
            "revision": approval.revision,
            "digest": approval.digest,
            "assurance": Assurance(decision.assurance).word,
            "evidence": dict(decision.evidence),
        }
        if decision.on_behalf_of is not None:
            details["on_behalf_of"] = decision.on_behalf_of
            details["delegation"] = show("D", decision.delegation or 0)
        if decision.again is not None:
            details["grant"] = {
                "seconds": decision.again.seconds,
                "times": decision.again.times,
                "terms": terms_digest(approval.bound or {}),
            }
        if gone:
            details["replaces"], gone = gone, []
        tx.record(
            "approval:decided",
            actor=decision.by,
            subject=approval.name,
            channel=decision.channel,
            details=details,
            private={"comment": decision.comment} if decision.comment else {},
        )


def _move(tx: Tx, ballot: Ballot, approval: Approval, decision: Decision, counted: Sequence[Vote]) -> State:
    """The state that the decisions so far lead to."""
    if decision.verdict == "reject":
        return _against(tx, ballot, approval, decision, counted)
    if decision.verdict == "request-changes":
        return _send_back(tx, approval, decision)
    if not count_on(ballot, counted).satisfied:
        change(tx, approval, before="review_expires_at")
        return approval.state
    approve(
        tx,
        approval,
        actor=decision.by,
        channel=decision.channel,
        before=True,
        hours=ballot.policy.hours,
        ground=by_policy(ballot, counted),
    )
    return State.APPROVED


def _against(tx: Tx, ballot: Ballot, approval: Approval, decision: Decision, counted: Sequence[Vote]) -> State:
    """REJECTED when that is enough; an approval that was taken back by it is in review again."""
    why = rejected(ballot, counted)
    if why is not None:
        close(
            tx,
            approval,
            State.REJECTED,
            actor=decision.by,
            channel=decision.channel,
            why=why,
            comment=decision.comment,
        )
        return State.REJECTED
    if approval.state is State.REVIEWING:
        change(tx, approval, before="review_expires_at")
        return approval.state
    if count_on(ballot, counted).satisfied:
        change(tx, approval, before="apply_expires_at")
        return approval.state
    review_again(tx, approval, ballot.policy, actor=decision.by, channel=decision.channel)
    return State.REVIEWING


def recount(tx: Tx, world: World, number: int) -> bool:
    """Whether the approved request was sent back to review because its decisions are no longer enough.

    Nothing happens to one that they satisfy, or whose configuration has just changed.
    """
    approval = find(tx, number)
    if approval.state is not State.APPROVED or not is_in_force(tx, world):
        return False
    policy = rule_in_force(world, approval)
    if backed(tx, world, approval, policy).satisfied:
        return False
    review_again(tx, approval, policy, actor=HUB.id, channel=None)
    return True


def review_again(tx: Tx, approval: Approval, policy: Policy, *, actor: str, channel: str | None) -> None:
    """The approved request is in review again with the decisions that still stand, and with a new time to decide."""
    change(
        tx,
        approval,
        to=State.REVIEWING,
        before="apply_expires_at",
        apply_expires_at=None,
        hold_until=None,
        apply_asked_at=None,
        review_expires_at=max(approval.review_expires_at or 0, after(tx.now_us, policy.review_seconds, policy.hours)),
        **NONE,
        **clocks(policy, tx.now_us),
    )
    undermine(tx, approval, actor=actor, why=f"{approval.name} went back to review")
    end_for_approval(tx, approval.id)
    tx.record(
        "approval:reopened",
        actor=actor,
        subject=approval.name,
        channel=channel,
        details={
            "state": "REVIEWING",
            "digest": approval.digest,
            "revision": approval.revision,
            "changed": ["decisions"],
        },
    )


def _send_back(tx: Tx, approval: Approval, decision: Decision) -> State:
    """The request is a draft again, for its requester to change."""
    change(
        tx,
        approval,
        to=State.DRAFT,
        before="review_expires_at",
        digest=None,
        review_expires_at=None,
        closed_why=f"{decision.by} asked for changes",
    )
    tx.record(
        "approval:drafted",
        actor=decision.by,
        subject=approval.name,
        channel=decision.channel,
        details={"state": "DRAFT", "why": "changes asked", "revision": approval.revision},
        private={"comment": decision.comment} if decision.comment else {},
    )
    return State.DRAFT


def approve(
    tx: Tx,
    approval: Approval,
    *,
    actor: str,
    channel: str | None,
    before: bool,
    hours: Hours | None,
    ground: Ground,
    by_grant: Grant | None = None,
    review_due_at: int | None = None,
) -> None:
    """The request is APPROVED on that ground: its apply clock runs, and its hold window is open.

    With `review_due_at` it is by break-glass: it starts by itself and waits for no second thoughts.
    """
    glass = review_due_at is not None
    hold_us = 0 if glass else approval.hold_us
    change(
        tx,
        approval,
        to=State.APPROVED,
        before="review_expires_at" if before else None,
        apply_expires_at=after(tx.now_us + hold_us, approval.apply_us / SECOND, hours),
        hold_until=tx.now_us + hold_us if hold_us else None,
        apply_asked_at=tx.now_us if glass else None,
        by_grant=by_grant.id if by_grant is not None else None,
        **NO_CLOCKS,
    )
    details: dict[str, Any] = {
        "state": "APPROVED",
        "digest": approval.digest,
        "policy": approval.policy,
        "ground": dict(ground),
    }
    if glass:
        details |= {"glass": True, "review_due_at": review_due_at}
    tx.record("approval:approved", actor=actor, subject=approval.name, channel=channel, details=details)


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
