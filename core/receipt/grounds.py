"""Whether what was approved or started was so on a ground that holds: a check for each kind of ground. Pure.

`core.approvals.ground` says what the log keeps. A ground of a kind that is not in GROUNDS proves nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from core.audit.entry import Entry
from core.errors import Invalid
from core.people.assurance import Assurance
from core.people.directory import Directory, Kind, Principal
from core.policy.ballot import Ballot, Vote
from core.policy.confirm import TYPED
from core.policy.counting import count_on, lack
from core.policy.policy import Policy
from core.receipt.decided import Decided, Voices
from core.receipt.refusing import bad


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One entry that approves or starts, and what it is held against."""

    entry: Entry
    voices: Voices
    """What the receipt proves to have been said by then."""
    policy: Policy
    visible_to: frozenset[str]
    requester: str
    grant: str | None = None
    """The grant whose use by this request the receipt proves."""

    @property
    def ground(self) -> Mapping[str, Any]:
        """What the entry gives as its ground; {} when it gives none."""
        given = self.entry.details.get("ground")
        return given if isinstance(given, Mapping) else {}

    def fail(self, why: str) -> Invalid:
        """The refusal that names the entry."""
        return bad(f"entry {self.entry.seq} {why}")


def hold(case: Case) -> list[Decided]:
    """The verdicts that count for it, in order. Raises Invalid (`bad_receipt`) when its ground does not hold."""
    if not case.ground:
        raise case.fail("does not say whose votes were counted: a hub that did not yet record it wrote it")
    kind = case.ground.get("kind")
    check = GROUNDS.get(kind) if isinstance(kind, str) else None
    if check is None:
        raise case.fail(f"gives the ground {str(kind)[:40]!r}, which this version cannot check")
    return check(case)


def _by_policy(case: Case) -> list[Decided]:
    """The votes that are counted stand in the receipt, and fill the seats of the policy that the digest binds."""
    votes = _votes(case)
    said = {(vote.person, vote.on_behalf_of) for vote in votes}
    for (person, whom), each in case.voices.items():
        if whom is None and each.verdict != "request-changes" and (person, whom) not in said:
            raise case.fail(f"does not count what {person} said in entry {each.seq}")
    counted = [_demand_said(case, vote) for vote in votes]
    ballot = _ballot(case)
    tally = count_on(ballot, votes)
    if not tally.satisfied:
        missing = [lack(each) for each in tally.missing]
        missing += [f"{tally.people_missing} more people"] if tally.people_missing else []
        raise case.fail(f"has too few votes for policy {case.policy.name}: {', '.join(missing) or 'nobody'} missing")
    against = len(tally.against)
    if against >= case.policy.reject:
        raise case.fail(f"goes against {against} who rejected it")
    for vote in votes:
        if vote.verdict == "reject" and vote.on_behalf_of is None and ballot.vetoes(vote.person):
            raise case.fail(f"goes against the veto of {vote.person}")
    return counted


def _demand_said(case: Case, vote: Vote) -> Decided:
    """The entry by which the vote was given, strongly enough."""
    said = case.voices.get((vote.person, vote.on_behalf_of))
    whom = f" for {vote.on_behalf_of}" if vote.on_behalf_of else ""
    if said is None or said.verdict != vote.verdict:
        raise case.fail(f"counts that {vote.person}{whom} said {vote.verdict}, and no entry of the receipt says so")
    needed = case.policy.min_assurance if vote.verdict == "approve" else Assurance.EMAIL
    if said.strength < needed:
        raise case.fail(f"counts {vote.person}{whom}, proved as {said.assurance} where {needed.word} is needed")
    if case.policy.confirm == "typed" and vote.verdict == "approve" and TYPED not in said.evidence:
        raise case.fail(f"counts {vote.person}{whom}, who did not type what the policy asks to be typed")
    return said


def _ballot(case: Case) -> Ballot:
    """The ballot among the people whom the ground names, with the groups that it gives them."""
    groups, barred = case.ground.get("groups"), case.ground.get("barred")
    if not isinstance(groups, Mapping) or not _are_names(barred) or case.requester not in barred:
        raise case.fail("does not say who could take part and who could not")
    people = {}
    for person, names in groups.items():
        if not _are_names(names):
            raise case.fail(f"does not say in which groups {person} was")
        people[person] = Principal(id=person, kind=Kind.PERSON, name=person, groups=frozenset(names))
    return Ballot(case.policy, Directory(people), frozenset(barred), case.visible_to)


def _votes(case: Case) -> list[Vote]:
    given = case.ground.get("votes")
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise case.fail("does not list the votes")
    try:
        votes = [_vote(each) for each in given]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise case.fail("lists what is no vote") from None
    if len({(vote.person, vote.on_behalf_of) for vote in votes}) != len(votes):
        raise case.fail("counts somebody twice")
    return votes


def _vote(given: Mapping[str, Any]) -> Vote:
    if not _are_names(list(given.values())) or given["verdict"] not in ("approve", "reject"):
        raise ValueError
    return Vote(
        person=given["by"],
        on_behalf_of=given.get("for"),
        verdict=given["verdict"],
        when=given.get("when"),
        strength=Assurance.parse(given["strength"]) if "strength" in given else None,
    )


def _are_names(given: Any) -> TypeGuard[list[str]]:
    return isinstance(given, list) and all(isinstance(each, str) for each in given)


def _by_grant(case: Case) -> list[Decided]:
    """The same count over those who chose the grant that it names; the receipt holds that grant, and its use."""
    if case.grant is None or case.ground.get("grant") != case.grant:
        raise case.fail("names a grant that is not in the receipt")
    return _by_policy(case)


def _by_glass(case: Case) -> list[Decided]:
    """Its requester broke the glass, as somebody of a group that the bound policy names; nobody was asked."""
    glass, member = case.policy.break_glass, case.ground.get("member")
    if glass is None or case.ground.get("by") != case.requester:
        raise case.fail("says break-glass, and its policy lets nobody, or somebody else did")
    if not _are_names(member) or set(glass.groups).isdisjoint(member):
        raise case.fail(f"does not say that {case.requester} may break the glass of policy {case.policy.name}")
    return []


GROUNDS: Mapping[str, Callable[[Case], list[Decided]]] = {
    "policy": _by_policy,
    "grant": _by_grant,
    "glass": _by_glass,
}
"""What a ground says it is -> its check."""
