"""What proved entries and a bound request say together: who approved what, on which ground, and what ran. Pure.

Nothing here is believed because it is said once: the bound request is the one that came under review, the votes that
an approval or a start counted are decided in entries of their own, they fill the seats of the bound policy, and what
took an approval back is not passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.approvals.digest import digest as digest_of
from core.audit.entry import Entry
from core.audit.note import Checkpoint
from core.clock import rfc3339
from core.receipt.complete import EVENTS
from core.receipt.decided import Decided, Voices, review, standing
from core.receipt.granted import Granted, Used
from core.receipt.grounds import Case, hold
from core.receipt.refusing import bad
from core.receipt.terms import terms

_TAKES_BACK = {
    "approval:reopened": "sent back to review",
    "approval:revised": "changed",
    "approval:drafted": "sent back as a draft",
    "approval:rejected": "rejected",
    "approval:withdrawn": "withdrawn",
    "approval:expired": "let expire",
}
_ENDS = (":finished", ":failed", ":unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run: an apply or a rollback."""

    kind: str
    run: str
    token: int
    started_at: str
    ended: str | None
    """`finished`, `failed` or `unknown`; None when no entry of the receipt says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What a receipt proves."""

    approval: str
    digest: str
    requester: str
    action: str
    policy: str
    params: Mapping[str, Any]
    commands: Mapping[str, Any]
    approved_at: str
    ground: str
    """How it came to be approved: `policy`, or another kind of `core.receipt.grounds`."""
    used: Used | None
    """The grant by which it was approved."""
    review: Decided | None
    """What somebody said afterwards of what ran by break-glass: `ok` or `objected`."""
    decisions: tuple[Decided, ...]
    """The approvals that were counted when it started, or when it was approved, and that nobody took back since."""
    against: tuple[Decided, ...]
    """The rejections that stood then and were not enough to end it."""
    runs: tuple[Ran, ...]
    origin: str
    tree_size: int
    entries: int


def conclude(
    approval: str,
    bound: Mapping[str, Any],
    entries: Sequence[Entry],
    checkpoint: Checkpoint,
    granted: Granted | None = None,
) -> Conclusion:
    """What `entries`, each proved and in the order of the log, say of `bound`; `granted` is the grant that it used.

    Raises Invalid (`bad_receipt`, or `not_canonical` for a bound value that has no digest).
    """
    for entry in entries:
        if entry.subject != approval or not entry.event.startswith(EVENTS):
            raise bad(f"entry {entry.seq} is not about {approval}")
    digest, requester = digest_of(bound), bound.get("requester")
    if bound.get("approval") != approval or not isinstance(requester, str):
        raise bad(f"the bound request is another's, not that of {approval}")
    policy, visible_to = terms(bound)
    approved = _approved(approval, entries, digest)
    runs = _runs(entries, digest, approved)
    counted: list[Decided] = []
    applied = [each for each in runs if each.event == "apply:started"]
    used = granted.used(approval, digest, bound, approved.seq) if granted is not None else None

    def voices(before: int) -> Voices:
        chosen = granted.voices(before) if granted is not None else {}
        return {**chosen, **standing(entries, digest, before)}

    for entry in (approved, *applied):
        counted = hold(
            Case(
                entry=entry,
                voices=voices(entry.seq),
                policy=policy,
                visible_to=visible_to,
                requester=requester,
                grant=used.grant if used is not None else None,
            )
        )
    now = voices((applied or entries)[-1].seq)
    return Conclusion(
        approval=approval,
        digest=digest,
        requester=requester,
        action=str(bound.get("action")),
        policy=policy.name,
        params=_mapping(bound.get("params")),
        commands=_mapping(bound.get("commands")),
        approved_at=rfc3339(approved.ts),
        ground=str(_mapping(approved.details.get("ground")).get("kind")),
        used=used,
        review=review(entries, digest),
        decisions=tuple(each for each in counted if each.verdict == "approve" and each in now.values()),
        against=tuple(each for each in now.values() if each.verdict == "reject" and each.on_behalf_of is None),
        runs=tuple(_ran(entries, each) for each in runs),
        origin=checkpoint.origin,
        tree_size=checkpoint.size,
        entries=len(entries),
    )


def _approved(approval: str, entries: Sequence[Entry], digest: str) -> Entry:
    """The entry by which that digest is approved, after it came under review and not taken back later."""
    shown, found, why = False, None, f"no entry says that {approval} was approved as it is here"
    for entry in entries:
        is_it = entry.details.get("digest") == digest
        if entry.event in _TAKES_BACK and found is not None:
            found, why = None, f"{approval} was approved, and then {_TAKES_BACK[entry.event]} (entry {entry.seq})"
        if entry.event in ("approval:submitted", "approval:reopened"):
            shown = is_it
        elif entry.event == "approval:approved":
            if is_it and not shown:
                raise bad(f"no entry says that this request came under review before entry {entry.seq}")
            found = entry if is_it else None
    if found is None:
        raise bad(why)
    return found


def _runs(entries: Sequence[Entry], digest: str, approved: Entry) -> list[Entry]:
    """The entries that start something: at most one apply, and then at most one rollback that somebody asked for."""
    started = [each for each in entries if each.event in ("apply:started", "rollback:started")]
    if [each.event for each in started] not in ([], ["apply:started"], ["apply:started", "rollback:started"]):
        raise bad("more ran than one approval is good for")
    wanted = {each.actor for each in entries if each.event == "rollback:requested"}
    for entry in started:
        if entry.details.get("digest") != digest or entry.seq <= approved.seq:
            raise bad(f"entry {entry.seq} says that something else ran, or before it was approved")
        if entry.event == "rollback:started" and not wanted.issuperset(_names(entry.details.get("by"))):
            raise bad(f"entry {entry.seq} names somebody who did not ask for a rollback here")
    return started


def _ran(entries: Sequence[Entry], started: Entry) -> Ran:
    name, token = started.details.get("run"), started.details.get("token")
    ends = [each for each in entries if each.details.get("run") == name and each.event.endswith(_ENDS)]
    if not isinstance(name, str) or type(token) is not int:
        raise bad(f"entry {started.seq} does not name its run and token")
    return Ran(
        kind=started.event.partition(":")[0],
        run=name,
        token=token,
        started_at=rfc3339(started.ts),
        ended=ends[-1].event.partition(":")[2] if ends else None,
    )


def _names(given: object) -> list[str]:
    """The names in a list; [""], which is nobody's, for anything that is none."""
    return given if isinstance(given, list) and given and all(isinstance(each, str) for each in given) else [""]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
