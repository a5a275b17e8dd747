"""Verbs of those who decide: approve, reject, request-changes, resolve."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from commands.requesting import checked_reason, own
from commands.verb import Args, Call, Outcome, Permission, Verb
from core import ids
from core.approvals.approval import Approval
from core.approvals.decide import Decided, decide
from core.approvals.decision import Verdict
from core.approvals.finish import resolve
from core.approvals.run import find_run
from core.approvals.shown import note_shown, shown_digest
from core.approvals.states import State
from core.errors import Conflict, Invalid
from core.leases.terms import LEASE_LOCKS
from core.store.tx import Tx

_DONE = {"approve": "approved", "reject": "rejected", "request-changes": "sent back for changes"}


class DecideArgs(Args):
    """Which approvals, which revision of them, and why."""

    ids: Annotated[list[str], Field(min_length=1, max_length=50)]
    digest: str | None = None
    comment: str | None = Field(default=None, max_length=4096)


class ResolveArgs(Args):
    """Which approval, how its run ended, and how you know."""

    id: str
    outcome: Literal["completed", "failed"]
    reason: str = Field(min_length=1, max_length=4096)


def _decide(tx: Tx, call: Call, args: DecideArgs, prepared: None, *, verdict: Verdict) -> Outcome:
    comment = checked_reason(args.comment)
    if args.digest is not None and len(args.ids) > 1:
        raise Invalid("usage", "a digest belongs to one approval; decide on one at a time, or use the batch")
    lines: list[str] = []
    for name in args.ids:
        approval = own(tx, call, name)
        digest = args.digest or shown_digest(tx, approval, call.principal.id, call.said_at_us)
        if digest is None and must_see(call, approval):
            return card_first(tx, approval, call.principal.id)
        decided = decide(
            tx,
            call.world,
            approval,
            verdict=verdict,
            by=call.principal,
            digest=digest,
            channel=call.channel,
            assurance=call.assurance,
            comment=comment,
            evidence=call.evidence,
        )
        lines.append(_words(approval.name, verdict, decided.state, decided.first) + spoken_for(decided))
    return Outcome(text="\n".join(lines), approval=ids.parse("A", args.ids[0]), record=False)


def must_see(call: Call, approval: Approval) -> bool:
    """Whether a decision without a digest is answered with the card: one that was typed, on what is under review."""
    return call.typed and approval.state is State.REVIEWING


def card_first(tx: Tx, approval: Approval, person: str) -> Outcome:
    """The answer to a typed decision on something not shown yet: its card, which counts as shown from now on."""
    note_shown(tx, approval=approval.id, revision=approval.revision, person=person)
    text = f"{approval.name}: read this first, then decide with its button, or type the same again in 5 seconds"
    return Outcome(ok=False, code="digest_required", text=text, approval=approval.id)


def _words(name: str, verdict: Verdict, state: State, first: bool) -> str:
    if not first:
        return f"{name}: you had {_DONE[verdict]} it already"
    if verdict == "approve" and state is State.REVIEWING:
        return f"{name}: your approval counts; others are still needed"
    if verdict == "reject" and state is not State.REJECTED:
        return f"{name}: your rejection counts; it is not enough to end it"
    return f"{name}: {_DONE[verdict]}"


def spoken_for(decided: Decided) -> str:
    """For whom it was said as well: ` (for ana)`."""
    names = [voice.on_behalf_of for voice in decided.voices if voice.on_behalf_of is not None]
    return f" (for {', '.join(names)})" if names else ""


def _resolve(tx: Tx, call: Call, args: ResolveArgs, prepared: None) -> Outcome:
    approval = own(tx, call, args.id)
    number = approval.rollback_run or approval.run
    if number is None:
        raise Conflict("wrong_state", f"{approval.name} never ran")
    reason = checked_reason(args.reason)
    resolve(
        tx,
        approval,
        find_run(tx, number),
        by=call.principal,
        channel=call.channel,
        outcome=args.outcome,
        reason=reason or "",
    )
    return Outcome(text=f"{approval.name}: resolved as {args.outcome}", approval=approval.id)


def _verb(name: Verdict, summary: str) -> Verb:
    return Verb(
        name=name,
        args=DecideArgs,
        run=partial(_decide, verdict=name),
        permission=Permission.DECIDE,
        rest="ids",
        each="ids",
        because="comment",
        urgent=True,
        locks=LEASE_LOCKS,
        usage=f"{name} <ids…> [because <reason>]",
        summary=summary,
    )


VERBS = (
    _verb("approve", "Agree to what the card shows."),
    _verb("reject", "Refuse it; nothing runs."),
    _verb("request-changes", "Send it back to who asked."),
    Verb(
        name="resolve",
        args=ResolveArgs,
        run=_resolve,
        permission=Permission.RESOLVE,
        people_only=True,
        positional=("id", "outcome"),
        because="reason",
        urgent=True,
        locks=LEASE_LOCKS,
        usage="resolve <id> completed|failed because <reason>",
        summary="Say how a run ended that nobody saw end.",
    ),
)
