"""The verdicts that a receipt's entries prove, as they stood at some place of the log. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.audit.entry import Entry
from core.clock import rfc3339
from core.people.assurance import Assurance
from core.receipt.refusing import bad


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One verdict, and the entry that proves it."""

    by: str
    on_behalf_of: str | None
    verdict: str
    at: str
    channel: str | None
    assurance: str
    evidence: Mapping[str, str]
    seq: int

    @property
    def strength(self) -> Assurance:
        """How strongly they were proved. Raises Invalid (`bad_receipt`) for no level that there is."""
        try:
            return Assurance.parse(self.assurance)
        except ValueError:
            raise bad(f"entry {self.seq} has no assurance") from None


Voices = Mapping[tuple[str, str | None], Decided]
"""(who acted, for whom) -> what they said."""


def standing(entries: Iterable[Entry], digest: str, before: int) -> Voices:
    """What each voice had said on that digest, last, when entry `before` was written."""
    found: dict[tuple[str, str | None], Decided] = {}
    for entry in entries:
        details = entry.details
        if entry.event != "approval:decided" or details.get("digest") != digest or entry.seq > before:
            continue
        if "glass" in details:  # a review afterwards decides nothing
            continue
        actor, whom = entry.actor or "", details.get("on_behalf_of")
        voice = None if whom is None else str(whom)
        if "replaces" in details:  # they say something else now, and no longer what they had said, also for others
            found = {key: each for key, each in found.items() if key[0] != actor}
        found[actor, voice] = _decided(entry, voice)
    return found


def review(entries: Iterable[Entry], digest: str) -> Decided | None:
    """What was said afterwards of what ran on that digest by break-glass; None when nobody has."""
    for entry in entries:
        if entry.event == "approval:decided" and "glass" in entry.details and entry.details.get("digest") == digest:
            return _decided(entry, None)
    return None


def _decided(entry: Entry, voice: str | None) -> Decided:
    details = entry.details
    evidence = details.get("evidence")
    return Decided(
        by=entry.actor or "",
        on_behalf_of=voice,
        verdict=str(details.get("verdict")),
        at=rfc3339(entry.ts),
        channel=entry.channel,
        assurance=str(details.get("assurance")),
        evidence={str(k): str(v) for k, v in evidence.items()} if isinstance(evidence, Mapping) else {},
        seq=entry.seq,
    )
