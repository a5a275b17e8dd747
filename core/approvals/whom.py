"""Who can unblock a request now: the answer of `who`, for every channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.approvals.approval import Approval, find
from core.approvals.backing import backing
from core.approvals.delegation import away, proxies
from core.approvals.freeze import Freeze, could_override, frozen, words
from core.approvals.glass import may_review
from core.approvals.owed import owed_to
from core.approvals.rule import ballot_of
from core.approvals.states import OPEN, State
from core.approvals.view import principal_json
from core.clock import rfc3339
from core.ids import show
from core.policy.ballot import Ballot
from core.policy.counting import could_satisfy
from core.policy.who import Who, who_on
from core.store.rows import Reader
from core.world import World


def who(reader: Reader, world: World, number: int) -> dict[str, Any]:
    """What is missing, who could give it, who cannot and why, and who could end it."""
    approval = find(reader, number)
    ballot = ballot_of(world, approval)
    if ballot is None:
        return _nothing(f"policy {approval.policy} is no longer configured")
    lent = proxies(reader, approval.action)
    said = backing(reader, approval)
    answer = who_on(ballot, said, lent)
    against = {
        "rejections": {"have": len(answer.tally.against), "count": ballot.policy.reject},
        "veto": [
            {"group": group, "people": [principal_json(world, each) for each in people]}
            for group, people in answer.veto
        ],
    }
    found = frozen(reader, world, approval) if approval.state in OPEN else []
    against |= {
        "frozen": [each.as_json() for each in found],
        "could_override": [principal_json(world, each.id) for each in could_override(world, approval)] if found else [],
    }
    stops = [_frozen(world, approval, found)] if found else []
    if approval.state is not State.REVIEWING:
        over = " ".join([_over(approval, ballot, answer) + _owed(reader, approval, ballot), *stops])
        return _nothing(over) | against
    gone = away(reader)
    return {
        "words": " ".join([answer.words, *_absent(gone, answer), *stops]),
        "missing": [
            {"group": each.requirement.group, "person": each.requirement.person, "count": each.lacking}
            for each in answer.tally.missing
        ],
        "people_missing": answer.tally.people_missing,
        "could": [_present(world, person, gone) for person in answer.could],
        "delegations": [
            {
                "id": show("D", each.id),
                "by": _present(world, each.delegate, gone),
                "on_behalf_of": principal_json(world, each.delegator),
                "until": rfc3339(each.until),
            }
            for each in answer.through
        ],
        "cannot": [
            {**principal_json(world, each.person), "on_behalf_of": each.on_behalf_of, "why": each.why}
            for each in answer.cannot
        ],
        "possible": could_satisfy(ballot.policy, world.people, ballot.barred).possible,
        **against,
    }


def _frozen(world: World, approval: Approval, found: Sequence[Freeze]) -> str:
    """Which freezes stop it, and who could let it go on."""
    could = ", ".join(each.id for each in could_override(world, approval)) or "nobody"
    return f"{words(found, approval.name)}: {could} could."


def _nothing(words: str) -> dict[str, Any]:
    return {"words": words, "missing": [], "could": [], "delegations": [], "cannot": []}


def _over(approval: Approval, ballot: Ballot, answer: Who) -> str:
    """Why nothing is missing; while it can still be rejected, by whom."""
    words = f"{approval.name} is {approval.state}; no decision is missing."
    if approval.state is not State.APPROVED:
        return words
    people = {each for each in ballot.candidates() if ballot.eligible(each)}
    people.update(each for _, members in answer.veto for each in members)
    return f"{words} Until it starts it may be rejected by {', '.join(sorted(people)) or 'nobody'}."


def _owed(reader: Reader, approval: Approval, ballot: Ballot) -> str:
    """Who could review what ran by break-glass; empty where no review is owed."""
    found = owed_to(reader, approval)
    if found is None or found.reviewed_at is not None:
        return ""
    could = sorted(each.id for each in ballot.directory if may_review(ballot, each.id))
    return (
        f" It ran by break-glass and owes a review until {rfc3339(found.due_at)[:16]}Z: {', '.join(could) or 'nobody'}."
    )


def _present(world: World, person: str, gone: dict[str, int]) -> dict[str, Any]:
    until = gone.get(person)
    return {**principal_json(world, person), "away_until": rfc3339(until) if until is not None else None}


def _absent(gone: dict[str, int], answer: Who) -> list[str]:
    named = [
        each for each in dict.fromkeys([*answer.could, *(lent.delegate for lent in answer.through)]) if each in gone
    ]
    return [f"Away: {', '.join(f'{each} until {rfc3339(gone[each])[:16]}Z' for each in named)}."] if named else []
