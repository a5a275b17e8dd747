"""On what ground something was approved or started, as the log keeps it, so that anybody can count it again.

`{"kind": "policy", "votes": [{"by", "verdict", "for"?, "when"?, "strength"?}], "groups": {person: [group]},
"barred": [person]}`: the votes that stood, who was in which of the groups that the policy and the action name, and who
could not take part. With the policy of the bound request this is all that the count depends on. A ground of the kind
`grant` is the same over the votes on the request and of those who chose the `grant` that it names; one of the kind
`glass` names who broke the glass (`by`) and the groups by which they may (`member`). Whoever adds another
way to be approved gives its ground a kind of its own, and `core.receipt.grounds` the check of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.policy.ballot import Ballot, Vote

Ground = Mapping[str, Any]


def by_policy(ballot: Ballot, votes: Sequence[Vote]) -> Ground:
    """The ground of a count of `votes` on `ballot`."""
    people = sorted({person for vote in votes for person in (vote.person, vote.voice, vote.when) if person})
    return {
        "kind": "policy",
        "votes": [_vote(vote) for vote in votes],
        "groups": {person: _groups(ballot, person) for person in people if ballot.is_person(person)},
        "barred": sorted(ballot.barred),
    }


def by_nobody(barred: Iterable[str]) -> Ground:
    """The ground of what the policy allows with nobody asked."""
    return {"kind": "policy", "votes": [], "groups": {}, "barred": sorted(barred)}


def by_grant(ballot: Ballot, votes: Sequence[Vote], grant: str) -> Ground:
    """The ground of what a grant approved; `votes` are of those who chose it."""
    return {**by_policy(ballot, votes), "kind": "grant", "grant": grant}


def by_glass(ballot: Ballot, votes: Sequence[Vote], person: str) -> Ground:
    """The ground of what `person` ran by break-glass, with the groups by which they may."""
    found, glass = ballot.directory.find(person), ballot.policy.break_glass
    groups = sorted(found.groups.intersection(glass.groups)) if found is not None and glass is not None else []
    return {**by_policy(ballot, votes), "kind": "glass", "by": person, "member": groups}


def _vote(vote: Vote) -> dict[str, str]:
    told = {"by": vote.person, "verdict": vote.verdict}
    if vote.on_behalf_of is not None:
        told["for"] = vote.on_behalf_of
    if vote.when is not None:
        told["when"] = vote.when
    if vote.strength is not None:
        told["strength"] = vote.strength.word
    return told


def _groups(ballot: Ballot, person: str) -> list[str]:
    """Those of the person's groups on which the count depends."""
    found = ballot.directory.find(person)
    policy = ballot.policy
    named = {*policy.veto, *ballot.visible_to, *(each.group for each in policy.require if each.group)}
    return sorted(found.groups & named) if found is not None else []
