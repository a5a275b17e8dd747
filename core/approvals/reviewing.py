"""Reviewing what ran by break-glass: somebody else says afterwards that it was right, or objects."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from core.approvals import owed
from core.approvals.approval import Approval, change
from core.approvals.glass import may_review
from core.approvals.rule import ballot_of
from core.approvals.states import ENDED
from core.errors import Conflict, Forbidden, Invalid
from core.people.assurance import Assurance, demand_assurance
from core.people.directory import Kind, Principal
from core.store.tx import Tx
from core.world import World


def review(
    tx: Tx,
    world: World,
    approval: Approval,
    *,
    verdict: Literal["ok", "objected"],
    by: Principal,
    channel: str,
    assurance: Assurance,
    comment: str | None,
    evidence: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """The review that was owed is given, and nobody is reminded of it any more.

    Raises Conflict (`not_owed`, `reviewed`, `wrong_state`, `policy_changed`), Forbidden (`not_a_person`, `own_request`,
    `not_eligible`, `assurance_too_low`), Invalid `reason_required` for an objection without one.
    """
    if by.kind is not Kind.PERSON:
        raise Forbidden("not_a_person", "agents and services ask; only people decide")
    found = owed.owed_to(tx, approval)
    if found is None:
        raise Conflict("not_owed", f"{approval.name} did not run by break-glass; no review is owed")
    _demand_may(world, approval, by, verdict, assurance)
    if verdict == "objected" and not comment:
        raise Invalid("reason_required", "say what was wrong: review A142 objected because …")
    if approval.state not in ENDED:
        raise Conflict("wrong_state", f"{approval.name} is {approval.state}; review it once it has ended")
    given = owed.give(
        tx, approval, verdict=verdict, by=by.id, channel=channel, assurance=int(assurance), comment=comment
    )
    if not given:
        raise Conflict("reviewed", f"{approval.name} was reviewed by {found.reviewed_by} already: {found.verdict}")
    change(tx, approval)
    tx.record(
        "approval:decided",
        actor=by.id,
        subject=approval.name,
        channel=channel,
        details={
            "glass": True,
            "verdict": verdict,
            "revision": approval.revision,
            "digest": approval.digest,
            "assurance": assurance.word,
            "evidence": dict(evidence),
        },
        private={"comment": comment} if comment else {},
    )


def _demand_may(world: World, approval: Approval, by: Principal, verdict: str, assurance: Assurance) -> None:
    ballot = ballot_of(world, approval)
    if ballot is None:
        raise Conflict("policy_changed", f"policy {approval.policy} is no longer configured")
    if by.id in ballot.barred:
        raise Forbidden("own_request", f"you ran {approval.name}, or own who did; somebody else must review it")
    if not may_review(ballot, by.id):
        raise Forbidden("not_eligible", f"whoever could have decided on {approval.name} reviews it; you could not")
    demand_assurance(assurance, ballot.policy.min_assurance if verdict == "ok" else Assurance.EMAIL)
