"""Whose say counts under one policy, with the people and groups of now. Pure.

* Only people count, never the requester or an owner of the requester, at request time or now (`barred`).
* A voice is heard once: a person's own before any delegate's, else the first delegate who spoke for them.
* A delegate speaks only while the delegator has not decided and would be eligible; a delegate's delegate never does.
* A delegation given on a condition speaks only where the one it names has approved themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from core.people.assurance import Assurance
from core.people.directory import Directory, Kind
from core.policy.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One verdict in force: `person` acted, for somebody else when `on_behalf_of` names them."""

    person: str
    on_behalf_of: str | None = None
    verdict: Literal["approve", "reject"] = "approve"
    when: str | None = None
    """Who must have approved as well for a conditional delegation to speak."""
    strength: Assurance | None = None
    """How strongly the delegator had proved themselves when they delegated; None for one's own voice."""

    @property
    def voice(self) -> str:
        """Whose say it is."""
        return self.on_behalf_of or self.person


class Ballot:
    """One policy's seats, and who may answer to which of them."""

    def __init__(
        self,
        policy: Policy,
        directory: Directory,
        barred: frozenset[str],
        visible_to: Collection[str] = frozenset(),
    ) -> None:
        self.policy = policy
        self.directory = directory
        self.barred = barred
        self.visible_to = frozenset(visible_to)
        self._of_group: dict[str, list[int]] = {}
        self._of_person: dict[str, list[int]] = {}
        for index, requirement in enumerate(policy.require):
            if requirement.person is not None:
                self._of_person.setdefault(requirement.person, []).append(index)
            else:
                self._of_group.setdefault(requirement.group or "", []).append(index)
        self._known: dict[str, list[int]] = {}

    def kinds(self, person: str) -> list[int]:
        """The requirements that `person` could answer to, by index; none unless they are a person of now, not barred."""
        known = self._known.get(person)
        if known is None:
            known = self._known[person] = self._kinds(person)
        return known

    def _kinds(self, person: str) -> list[int]:
        found = self.directory.find(person)
        if found is None or found.kind is not Kind.PERSON or person in self.barred:
            return []
        kinds = list(self._of_person.get(person, ()))
        for group, indexes in self._of_group.items():
            if group in found.groups:
                kinds += indexes
        return sorted(kinds)

    def eligible(self, person: str) -> bool:
        """Whether `person` could fill a seat."""
        return bool(self.kinds(person))

    def is_person(self, person: str) -> bool:
        """Whether there is a person of that id now who may take part at all."""
        found = self.directory.find(person)
        return found is not None and found.kind is Kind.PERSON and person not in self.barred

    def may_speak(self, delegate: str) -> bool:
        """Whether the policy takes `delegate` as anybody's delegate; nobody speaks on what they may not know of."""
        if self.policy.delegation == "none" or not self.is_person(delegate) or not self.may_know(delegate):
            return False
        return self.policy.delegation == "any" or self.eligible(delegate)

    def may_know(self, person: str) -> bool:
        """Whether the action is visible to `person`, by their groups; empty `visible_to` is everybody."""
        found = self.directory.find(person)
        return found is not None and (not self.visible_to or not self.visible_to.isdisjoint(found.groups))

    def counting(self, votes: Iterable[Vote]) -> list[Vote]:
        """The votes that count, in the order in which they were given: one for each voice."""
        given = list(votes)
        own = {vote.person for vote in given if vote.on_behalf_of is None}
        spoken: set[str] = set()
        counting: list[Vote] = []
        for vote in given:
            if vote.voice in spoken or not self.kinds(vote.voice):
                continue
            if vote.on_behalf_of is not None and (vote.on_behalf_of in own or not self._speaks(vote, given)):
                continue
            spoken.add(vote.voice)
            counting.append(vote)
        return counting

    def met(self, when: str | None, delegate: str, votes: Sequence[Vote]) -> bool:
        """Whether a delegation to `delegate` on the condition `when` may speak beside `votes`."""
        if when is None or when == delegate:
            return True
        return self.eligible(when) and any(
            vote.person == when and vote.on_behalf_of is None and vote.verdict == "approve" for vote in votes
        )

    def _speaks(self, vote: Vote, given: Sequence[Vote]) -> bool:
        if vote.strength is not None and vote.strength < self.policy.min_assurance:
            return False
        return self.may_speak(vote.person) and self.met(vote.when, vote.person, given)

    def candidates(self) -> list[str]:
        """Everybody whom a requirement names or whose group it names, whatever their kind, in order of their ids."""
        named = set(self._of_person)
        for group in self._of_group:
            named |= self.directory.members(group)
        return sorted(named)

    def vetoes(self, person: str) -> str | None:
        """The veto group by which `person` may reject alone, or None."""
        found = self.directory.find(person)
        if found is None or not self.is_person(person):
            return None
        return next((group for group in self.policy.veto if group in found.groups), None)
