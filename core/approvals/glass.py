"""Break-glass: what some may run at once, with nobody asked, because it cannot wait.

It takes a person in a group that the policy names, proved as strongly as an approval, and a reason. Everything else
holds as ever: checks, digest, leases, stop, and freezes unless the policy says otherwise. Whoever could have decided is
told at once, and somebody else owes it a review (`core.approvals.owed`).
"""

from __future__ import annotations

from core.approvals.approval import Approval, change
from core.approvals.freeze import frozen, named
from core.errors import Conflict, Forbidden
from core.people.assurance import Assurance, demand_assurance
from core.people.directory import Kind, Principal
from core.policy.ballot import Ballot
from core.policy.policy import Policy
from core.store.tx import Tx
from core.world import World


def demand_may_break(ballot: Ballot, by: Principal, assurance: Assurance) -> None:
    """Nothing, when `by` may run it at once and there is somebody else to review it.

    Raises Forbidden (`no_break_glass`, `not_a_person`, `not_eligible`, `assurance_too_low`), Conflict `unreviewable`.
    """
    policy = ballot.policy
    if by.kind is not Kind.PERSON:
        raise Forbidden("not_a_person", "agents and services ask; only people break the glass")
    if policy.break_glass is None or policy.allow:
        raise Forbidden("no_break_glass", f"policy {policy.name} has no break_glass: ask, and somebody decides")
    if not in_group(policy, by):
        named = " or ".join(policy.break_glass.groups)
        raise Forbidden("not_eligible", f"policy {policy.name} lets only {named} break the glass")
    demand_assurance(assurance, policy.min_assurance)
    if not any(may_review(ballot, each.id) for each in ballot.directory):
        raise Conflict("unreviewable", f"nobody but you could review it under policy {policy.name}", policy=policy.name)


def in_group(policy: Policy, person: Principal | None) -> bool:
    """Whether the policy lets `person` break the glass."""
    if policy.break_glass is None or person is None or person.kind is not Kind.PERSON:
        return False
    return not person.groups.isdisjoint(policy.break_glass.groups)


def may_review(ballot: Ballot, person: str) -> bool:
    """Whether `person` may say afterwards that it was right, or that it was not: who could have decided, or vetoed."""
    return ballot.eligible(person) or ballot.vetoes(person) is not None


def concerned(ballot: Ballot, approval: Approval) -> list[Principal]:
    """Everybody who is told: who could have decided or vetoed, and owners."""
    people = [each for each in ballot.directory if may_review(ballot, each.id) or each.id in approval.owners]
    return sorted(people, key=lambda each: each.id)


def demand_way(tx: Tx, world: World, approval: Approval, policy: Policy) -> None:
    """Nothing stands in its way; a freeze that the policy lets it through is overridden from now on, which is recorded.

    Raises Conflict `frozen`.
    """
    found = frozen(tx, world, approval)
    if not found:
        return
    if policy.break_glass is None or not policy.break_glass.through_freeze:
        told = f"policy {policy.name} lets break-glass through no freeze, and {named(found)}"
        raise Conflict("frozen", f"{told}. Ask for it, and somebody with the right override lets it go on")
    change(
        tx,
        approval,
        override_by=approval.requester,
        override_why=approval.reason or "break-glass",
        override_at=tx.now_us,
    )
    tx.record(
        "freeze:overridden",
        actor=approval.requester,
        subject=approval.name,
        channel=approval.channel,
        details={"revision": approval.revision, "freezes": [each.name for each in found], "glass": True},
        private={"reason": approval.reason or ""},
    )
