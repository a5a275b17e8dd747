"""Whether the decisions so far are enough, or the end: a pure count over the people and groups of now.

Whose say counts is `core.policy.ballot`'s. Beyond that:

* A person fills one seat, where they help most, also when they speak for others.
* `distinct_people` counts who acted and was entitled to, not for whom.
* An empty group is never satisfied, and a policy without seats that does not say `allow` never is.
* It is rejected by as many people as `reject` says, by one member of a `veto` group, or once those who have not
  rejected could no longer satisfy it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.people.directory import Directory, Kind
from core.policy.ballot import Ballot, Vote
from core.policy.policy import Policy, Requirement
from core.policy.seating import reachable, seat


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatCount:
    """How many of a requirement's seats are filled, and by whom."""

    requirement: Requirement
    have: int
    by: tuple[str, ...] = ()

    @property
    def lacking(self) -> int:
        """Seats still empty."""
        return self.requirement.count - self.have


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A count of the decisions."""

    satisfied: bool
    seats: tuple[SeatCount, ...] = ()
    missing: tuple[SeatCount, ...] = ()
    """Those of `seats` that are not full."""
    people: int = 0
    """Distinct people who acted and were entitled to."""
    people_missing: int = 0
    """How many more `distinct_people` wants."""
    acted: frozenset[str] = frozenset()
    """Those people."""
    against: tuple[str, ...] = ()
    """People who rejected and could have filled a seat, in the order in which they did."""
    open_kinds: frozenset[int] = frozenset()
    """Requirements, by index, for which one more person would fill a seat somewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a policy can be satisfied at all, and in words why not (empty when it can)."""

    possible: bool
    reason: str = ""


def barred_by(requester_id: str, owners_then: Iterable[str], directory: Directory) -> frozenset[str]:
    """Who may not decide on a request: who asked, and who owned them when they asked or owns them now (P9)."""
    now = directory.find(requester_id)
    return frozenset({requester_id, *owners_then, *(now.owners if now else ())})


def eligible(policy: Policy, person: str, directory: Directory, barred: frozenset[str]) -> bool:
    """Whether `person` could fill a seat of `policy`."""
    return Ballot(policy, directory, barred).eligible(person)


def tally(policy: Policy, votes: Iterable[Vote], directory: Directory, barred: frozenset[str]) -> Tally:
    """The count of `votes`, in the order in which they were given."""
    return count_on(Ballot(policy, directory, barred), votes)


def count_on(ballot: Ballot, votes: Iterable[Vote]) -> Tally:
    """The count of `votes` on a ballot that is at hand."""
    policy = ballot.policy
    places: dict[str, list[int]] = {}
    against: dict[str, None] = {}
    for vote in ballot.counting(votes):
        if vote.verdict == "reject":
            against[vote.person] = None
            continue
        mine = places.setdefault(vote.person, [])
        mine.extend(kind for kind in ballot.kinds(vote.voice) if kind not in mine)
    counts = [requirement.count for requirement in policy.require]
    seated = seat(places, counts)
    seats = tuple(
        SeatCount(requirement=requirement, have=len(by), by=tuple(by))
        for requirement, by in zip(policy.require, seated, strict=True)
    )
    missing = tuple(each for each in seats if each.lacking)
    people_missing = max(0, (policy.distinct_people or 0) - len(places))
    return Tally(
        satisfied=policy.allow or (bool(seats) and not missing and not people_missing),
        seats=seats,
        missing=missing,
        people=len(places),
        people_missing=people_missing,
        acted=frozenset(places),
        against=tuple(against),
        open_kinds=reachable(places, counts, seated),
    )


def rejected(ballot: Ballot, votes: Iterable[Vote]) -> str | None:
    """Why `votes` end the request, in words; None while they do not."""
    given = list(votes)
    policy = ballot.policy
    for vote in given:
        if vote.verdict == "reject" and vote.on_behalf_of is None and (group := ballot.vetoes(vote.person)):
            return f"rejected by {vote.person} alone, of the veto group {group}"
    against = count_on(ballot, given).against
    if not against:
        return None
    said = f"rejected by {_listed(against)}"
    if len(against) >= policy.reject:
        return said
    gone = {vote.person for vote in given if vote.verdict == "reject" and vote.on_behalf_of is None}
    left = [Vote(person=each) for each in ballot.candidates() if each not in gone]
    return None if count_on(ballot, left).satisfied else f"{said}; those who are left could not satisfy {policy.name}"


def could_satisfy(policy: Policy, directory: Directory, barred: frozenset[str]) -> Verdict:
    """Whether the approvals of everybody eligible would be enough; delegates add nobody who would not be counted."""
    ballot = Ballot(policy, directory, barred)
    best = count_on(ballot, [Vote(person=each) for each in ballot.candidates()])
    if best.satisfied:
        return Verdict(possible=True)
    return Verdict(possible=False, reason=_unsatisfiable(ballot, best))


def why_not(ballot: Ballot, person: str) -> str | None:
    """Why `person` may not take part at all, in words; None when they may."""
    found = ballot.directory.find(person)
    if found is None:
        return "is not in the configuration"
    if found.kind is not Kind.PERSON:
        return f"is {'an agent' if found.kind is Kind.AGENT else f'a {found.kind.value}'}; only people decide"
    return "asked for it, or owns who asked" if person in ballot.barred else None


def lack(each: SeatCount) -> str:
    """What an unfilled requirement wants: `1 of security`, `ana`."""
    requirement = each.requirement
    return f"{each.lacking} of {requirement.group}" if requirement.group else str(requirement.person)


def _unsatisfiable(ballot: Ballot, best: Tally) -> str:
    policy = ballot.policy
    if not policy.require:
        return f"policy {policy.name} asks nobody and does not say allow"
    parts = [f"{lack(each)} would still be missing" for each in best.missing]
    if best.people_missing:
        parts.append(f"{policy.distinct_people} different people must agree and only {best.people} can")
    out = [f"{person} {why}" for person in ballot.candidates() if (why := why_not(ballot, person))]
    empty = [
        f"group {requirement.group} has no members{_why_empty(ballot, requirement.group)}"
        for requirement in policy.require
        if requirement.group and not ballot.directory.members(requirement.group)
    ]
    return f"policy {policy.name} cannot be satisfied: " + "; ".join([*parts, *empty, *out])


def _why_empty(ballot: Ballot, group: str) -> str:
    why = ballot.directory.empty.get(group)
    return f" ({why})" if why else ""


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
