"""Whether the approvals so far are enough: a pure count over the people and groups of now.

* Only people count, never the requester or an owner of the requester, at request time or now (`barred`).
* A person fills one seat, where they help most.
* `distinct_people` counts who acted and was entitled to, not for whom.
* A delegate speaks only while the delegator has not decided and would be eligible; one delegate each, the earliest.
* An empty group is never satisfied, and a policy without seats that does not say `allow` never is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.people.directory import Directory, Kind, Principal
from core.policy.policy import Policy, Requirement
from core.policy.seating import seat


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One approval in force: `person` acted, for somebody else when `on_behalf_of` names them."""

    person: str
    on_behalf_of: str | None = None

    @property
    def voice(self) -> str:
        """Whose say it is."""
        return self.on_behalf_of or self.person


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
    """A count of the approvals."""

    satisfied: bool
    seats: tuple[SeatCount, ...] = ()
    missing: tuple[SeatCount, ...] = ()
    """Those of `seats` that are not full."""
    people: int = 0
    """Distinct people who acted and were entitled to."""
    people_missing: int = 0
    """How many more `distinct_people` wants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """Somebody who looks as if they could decide and cannot, and why."""

    person: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """What is missing, who could give it, who cannot and why."""

    tally: Tally
    could: tuple[str, ...] = ()
    """People whose approval would bring it closer, by id."""
    cannot: tuple[Excluded, ...] = ()
    words: str = ""


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
    return person not in barred and bool(_kinds(policy, person, directory))


def tally(policy: Policy, approvals: Iterable[Vote], directory: Directory, barred: frozenset[str]) -> Tally:
    """The count of `approvals`, in the order in which they were given."""
    places: dict[str, list[int]] = {}
    for vote in _counting(policy, approvals, directory, barred):
        mine = places.setdefault(vote.person, [])
        mine.extend(kind for kind in _kinds(policy, vote.voice, directory) if kind not in mine)
    seated = seat(places, [requirement.count for requirement in policy.require])
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
    )


def could_satisfy(policy: Policy, directory: Directory, barred: frozenset[str]) -> Verdict:
    """Whether the approvals of everybody eligible would be enough; delegates add nobody who would not be counted."""
    everybody = [Vote(person=each) for each in _candidates(policy, directory) if each not in barred]
    best = tally(policy, everybody, directory, barred)
    if best.satisfied:
        return Verdict(possible=True)
    return Verdict(possible=False, reason=_unsatisfiable(policy, best, directory, barred))


def who(policy: Policy, approvals: Iterable[Vote], directory: Directory, barred: frozenset[str]) -> Who:
    """What is missing after `approvals`, who could give it, who cannot and why."""
    votes = list(approvals)
    now = tally(policy, votes, directory, barred)
    decided = {vote.person for vote in votes if vote.on_behalf_of is None}
    could: list[str] = []
    cannot: list[Excluded] = []
    for person in _candidates(policy, directory):
        why = _why_not(policy, person, directory, barred, decided)
        if why is None and not now.satisfied and _helps(policy, votes, person, directory, barred, now):
            could.append(person)
        elif why is not None or not now.satisfied:
            cannot.append(Excluded(person=person, why=why or "could fill only seats that are taken"))
    return Who(tally=now, could=tuple(could), cannot=tuple(cannot), words=_words(now, could, cannot))


def _kinds(policy: Policy, person: str, directory: Directory) -> list[int]:
    """The requirements that `person` could answer to, by index; none unless they are a person of now."""
    found = directory.find(person)
    if found is None or found.kind is not Kind.PERSON:
        return []
    return [index for index, requirement in enumerate(policy.require) if _fits(requirement, found)]


def _fits(requirement: Requirement, person: Principal) -> bool:
    return requirement.person == person.id if requirement.person is not None else requirement.group in person.groups


def _counting(policy: Policy, votes: Iterable[Vote], directory: Directory, barred: frozenset[str]) -> list[Vote]:
    """The approvals that count: one for each voice, a person's own before any delegate's."""
    given = list(votes)
    own = {vote.person for vote in given if vote.on_behalf_of is None}
    spoken: set[str] = set()
    counting: list[Vote] = []
    for vote in given:
        if vote.voice in spoken or not eligible(policy, vote.voice, directory, barred):
            continue
        if vote.on_behalf_of is not None and (
            vote.on_behalf_of in own or not _may_speak(policy, vote.person, directory, barred)
        ):
            continue
        spoken.add(vote.voice)
        counting.append(vote)
    return counting


def _may_speak(policy: Policy, delegate: str, directory: Directory, barred: frozenset[str]) -> bool:
    """Whether the policy takes `delegate` as anybody's delegate."""
    found = directory.find(delegate)
    if found is None or found.kind is not Kind.PERSON or delegate in barred or policy.delegation == "none":
        return False
    return policy.delegation == "any" or eligible(policy, delegate, directory, barred)


def _candidates(policy: Policy, directory: Directory) -> list[str]:
    """Everybody whom a requirement names or whose group it names, whatever their kind, in order of their ids."""
    named: set[str] = set()
    for requirement in policy.require:
        if requirement.person is not None:
            named.add(requirement.person)
        else:
            named |= directory.members(requirement.group or "")
    return sorted(named)


def _why_not(
    policy: Policy, person: str, directory: Directory, barred: frozenset[str], decided: set[str]
) -> str | None:
    """Why `person` cannot approve, in words; None when they can."""
    found = directory.find(person)
    if found is None:
        return "is not in the configuration"
    if found.kind is not Kind.PERSON:
        return f"is {'an agent' if found.kind is Kind.AGENT else f'a {found.kind.value}'}; only people decide"
    if person in barred:
        return "asked for it, or owns who asked"
    return "has approved" if person in decided else None


def _helps(
    policy: Policy, votes: Sequence[Vote], person: str, directory: Directory, barred: frozenset[str], now: Tally
) -> bool:
    """Whether the approval of `person` would fill a seat or add one of the distinct people wanted."""
    then = tally(policy, [*votes, Vote(person=person)], directory, barred)
    return _filled(then) > _filled(now) or then.people_missing < now.people_missing


def _filled(count: Tally) -> int:
    return sum(each.have for each in count.seats)


def _unsatisfiable(policy: Policy, best: Tally, directory: Directory, barred: frozenset[str]) -> str:
    if not policy.require:
        return f"policy {policy.name} asks nobody and does not say allow"
    parts = [f"{_lack(each)} would still be missing" for each in best.missing]
    if best.people_missing:
        parts.append(f"{policy.distinct_people} different people must agree and only {best.people} can")
    out = [
        f"{person} {why}"
        for person in _candidates(policy, directory)
        if (why := _why_not(policy, person, directory, barred, set()))
    ]
    empty = [
        f"group {requirement.group} has no members"
        for requirement in policy.require
        if requirement.group and not directory.members(requirement.group)
    ]
    return f"policy {policy.name} cannot be satisfied: " + "; ".join([*parts, *empty, *out])


def _words(now: Tally, could: Sequence[str], cannot: Sequence[Excluded]) -> str:
    if now.satisfied:
        return "Nothing is missing."
    wanted = [_lack(each) for each in now.missing]
    if now.people_missing:
        wanted.append(f"{now.people_missing} more {'person' if now.people_missing == 1 else 'people'}")
    sentences = [f"Missing: {', '.join(wanted) or 'a rule that says who decides'}."]
    sentences.append(f"Could give it: {', '.join(could)}." if could else "Nobody can give it.")
    if cannot:
        sentences.append("Cannot: " + "; ".join(f"{each.person} ({each.why})" for each in cannot) + ".")
    return " ".join(sentences)


def _lack(each: SeatCount) -> str:
    """What an unfilled requirement wants: `1 of security`, `ana`."""
    requirement = each.requirement
    return f"{each.lacking} of {requirement.group}" if requirement.group else str(requirement.person)
