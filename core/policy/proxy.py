"""Delegations as a policy sees them: who could speak for whom on one request, and why not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.people.assurance import Assurance
from core.policy.ballot import Ballot, Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A delegation in force for the action in question."""

    id: int
    delegator: str
    delegate: str
    until: int
    """Microseconds since 1970."""
    strength: Assurance
    """How strongly the delegator had proved themselves."""
    when: str | None = None
    """Who must have approved as well. Such a delegation approves and does nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """One of the voices with which somebody decides: their own, or that of whom a delegation lets them speak for."""

    on_behalf_of: str | None = None
    delegation: int | None = None


def silent(ballot: Ballot, proxy: Proxy, votes: Sequence[Vote]) -> str | None:
    """Why the delegate cannot speak for the delegator beside `votes`, in words; None when they can."""
    policy, delegate, delegator = ballot.policy, proxy.delegate, proxy.delegator
    if policy.delegation == "none":
        return f"policy {policy.name} takes no delegates"
    if delegate in ballot.barred:
        return f"{delegate} asked for it, or owns who asked"
    if not ballot.is_person(delegate):
        return f"{delegate} is no person of the configuration"
    if not ballot.may_know(delegate):
        return f"the action is hidden from {delegate}"
    if not ballot.may_speak(delegate):
        return f"policy {policy.name} takes only delegates who could decide themselves"
    if not ballot.eligible(delegator):
        return f"{delegator} could not decide on this"
    if proxy.strength < policy.min_assurance:
        return f"{delegator} delegated with {proxy.strength.word} and this needs {policy.min_assurance.word}"
    if any(vote.person == delegator and vote.on_behalf_of is None for vote in votes):
        return f"{delegator} has decided"
    for vote in ballot.counting(votes):
        if vote.on_behalf_of == delegator:
            return f"{vote.person} has spoken for {delegator}"
    if not ballot.met(proxy.when, delegate, votes):
        return f"{proxy.when} has not approved"
    return None


def voices(
    ballot: Ballot, person: str, verdict: str, *, votes: Sequence[Vote], proxies: Iterable[Proxy]
) -> list[Voice]:
    """With which voices `person` would decide beside the `votes` of others; none when they have none.

    Their own when they could fill a seat (or veto, to reject), and those of delegators who answer to seats that
    theirs do not: no voice is lent where it could make no difference. A conditional delegation only approves.
    """
    own = ballot.eligible(person) or (verdict == "reject" and ballot.vetoes(person) is not None)
    found = [Voice()] if own else []
    covered = set(ballot.kinds(person))
    for proxy in proxies:
        if proxy.delegate != person or (proxy.when is not None and verdict != "approve"):
            continue
        more = set(ballot.kinds(proxy.delegator)) - covered
        if not more or (found and verdict != "approve") or silent(ballot, proxy, votes) is not None:
            continue
        found.append(Voice(on_behalf_of=proxy.delegator, delegation=proxy.id))
        covered |= more
    return found
