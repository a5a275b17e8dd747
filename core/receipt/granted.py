"""What the entries about a grant, and about the request that it was chosen with, prove of one use of it. Pure.

A request that a grant approved has no decisions of its own. Its receipt holds the grant's entries and those of the
request that people saw when they chose it, each list with the hub's statement that it is whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.approvals.terms import terms_digest
from core.audit.entry import Entry
from core.receipt.decided import Decided, Voices, standing
from core.receipt.refusing import bad

_LEEWAY_US = 60 * 1_000_000
"""How much later than its use was guarded an entry may be written."""

EVENTS = ("grant:",)
"""What the events of a grant begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """One use of a grant, and what the grant allows."""

    grant: str
    chosen_on: str
    number: int
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A grant's entries, and those of the request that it was chosen with; each proved, whole and in order."""

    name: str
    entries: Sequence[Entry]
    chosen_on: str
    chosen: Sequence[Entry]

    @property
    def _created(self) -> Mapping[str, Any]:
        first = self.entries[0]
        if first.event != "grant:created" or first.details.get("chosen_on") != self.chosen_on:
            raise bad(f"{self.name} does not begin with its choice on {self.chosen_on}")
        return first.details

    def used(self, approval: str, digest: str, bound: Mapping[str, Any], before: int) -> Used:
        """The use of the grant by that approval, last before entry `before`: for its terms, within its bounds.

        Raises Invalid (`bad_receipt`).
        """
        created, terms = self._created, _terms(bound)
        until, times = created.get("until"), created.get("times")
        if created.get("terms") != terms or type(until) is not int or type(times) is not int:
            raise bad(f"{self.name} allows something else than {approval} asks for")
        found = None
        for number, entry in enumerate((e for e in self.entries if e.event == "grant:used"), start=1):
            if (
                entry.details.get("use") != number
                or number > times
                or entry.ts >= until + _LEEWAY_US
                or self._over(entry.seq)
            ):
                raise bad(f"entry {entry.seq} uses {self.name} more often or longer than was chosen")
            is_it = (entry.details.get("approval"), entry.details.get("digest")) == (approval, digest)
            if is_it and entry.details.get("terms") == terms and entry.seq < before:
                found = Used(grant=self.name, chosen_on=self.chosen_on, number=number, times=times)
        if found is None:
            raise bad(f"no entry says that {approval} used {self.name}")
        return found

    def _over(self, seq: int) -> bool:
        return any(each.event == "grant:ended" and each.seq < seq for each in self.entries)

    def voices(self, before: int) -> Voices:
        """Who had chosen exactly this grant, and stood by it, when entry `before` was written."""
        created = self._created
        wanted = {"terms": created.get("terms"), "times": created.get("times")}
        said = {entry.seq: entry.details.get("grant") for entry in self.chosen}

        def chose(each: Decided) -> bool:
            given = said[each.seq]
            return isinstance(given, Mapping) and wanted.items() <= given.items() and each.verdict == "approve"

        found = standing(self.chosen, str(created.get("digest")), before)
        return {key: each for key, each in found.items() if chose(each)}


def _terms(bound: Mapping[str, Any]) -> str:
    try:
        return terms_digest(bound)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise bad("the bound request is none whose terms could be granted") from None
