"""Verbs of those who decide: approve, reject, request-changes, resolve."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from commands.requesting import checked_reason, own
from commands.verb import Args, Call, Outcome, Permission, Spread, Verb
from core import ids
from core.approvals.approval import Approval
from core.approvals.decide import Decided, decide
from core.approvals.decision import Verdict
from core.approvals.finish import resolve
from core.approvals.listing import listing
from core.approvals.run import find_run
from core.approvals.shown import note_shown, shown_digest, was_shown
from core.approvals.states import State
from core.errors import Conflict, Invalid, NotFound
from core.leases.terms import LEASE_LOCKS
from core.store.rows import Reader
from core.store.tx import Tx

_DONE = {"approve": "approved", "reject": "rejected", "request-changes": "sent back for changes"}


MOST_AT_ONCE = 100
"""Requests that one command or batch decides on."""
MOST_WAITING = 500
"""Requests among which `all` looks for those."""


class DecideArgs(Args):
    """Which approvals, which revision of them, and why; with `all`, whose and for which action."""

    ids: Annotated[list[str], Field(min_length=1, max_length=MOST_AT_ONCE)]
    digest: str | None = None
    confirm: str | None = Field(default=None, max_length=64)
    comment: str | None = Field(default=None, max_length=4096)
    requester: str | None = Field(default=None, max_length=64)
    action: str | None = Field(default=None, max_length=64)


class ResolveArgs(Args):
    """Which approval, how its run ended, and how you know."""

    id: str
    outcome: Literal["completed", "failed"]
    reason: str = Field(min_length=1, max_length=4096)


def _decide(tx: Tx, call: Call, args: DecideArgs, prepared: None, *, verdict: Verdict) -> Outcome:
    comment = checked_reason(args.comment)
    if args.digest is not None and len(args.ids) > 1:
        raise Invalid("usage", "a digest belongs to one approval; decide on one at a time, or use the batch")
    if args.requester is not None or args.action is not None:
        raise Invalid("usage", f"`from` and `for` go with all: {verdict} all from @ana for deploy")
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
            typed=typed_by(call, args.confirm, name),
        )
        lines.append(_words(approval.name, verdict, decided.state, decided.first) + spoken_for(decided))
    return Outcome(text="\n".join(lines), approval=ids.parse("A", args.ids[0]), record=False)


def typed_by(call: Call, confirm: str | None, name: str) -> str | None:
    """What was typed to confirm it: a command that somebody typed names the request itself."""
    return name if confirm is None and call.typed else confirm


def _all(reader: Reader, call: Call, args: DecideArgs) -> Spread:
    """What waits for the caller and was shown to them, as they saw it; what they have not seen is left and named."""
    requester = args.requester.lstrip("@") if args.requester is not None else None
    if requester is not None and call.world.people.find(requester) is None:
        raise NotFound("unknown_person", f"there is nobody called {requester!r}; write from @ and an id of hub.yaml")
    if args.action is not None and args.action not in call.world.actions:
        raise NotFound("unknown_action", f"there is no action {args.action!r}")
    waiting = listing(
        reader,
        call.world,
        viewer=call.principal,
        state="reviewing",
        mine=True,
        requester=requester,
        action=args.action,
        limit=MOST_WAITING,
    )
    found = [each for each in waiting if each.requester != call.principal.id]
    seen = [each for each in found if was_shown(reader, each, call.principal.id, call.said_at_us)]
    if len(seen) > MOST_AT_ONCE:
        more = f"{len(seen)} requests" if len(waiting) < MOST_WAITING else f"more than {len(seen)} requests"
        why = f"{more} wait for you here, and at most {MOST_AT_ONCE} are decided at once: narrow it"
        raise Invalid("too_many", f"{why} with `from @…` or `for <action>`, or name them")
    unseen = [each.name for each in found if each not in seen]
    return Spread(
        items={
            # `all` names no request: what a policy asks to be typed is not.
            each.name: {"ids": [each.name], "digest": each.digest, "confirm": "", "comment": args.comment}
            for each in seen
        },
        left=_left(unseen, more=len(waiting) == MOST_WAITING) if found else "Nothing like that waits for you.",
    )


def _left(unseen: Sequence[str], *, more: bool) -> str:
    """What was left because it was never shown or not looked at, in words."""
    told = []
    if unseen:
        named = ", ".join(unseen[:10]) + (f" and {len(unseen) - 10} more" if len(unseen) > 10 else "")
        told.append(f"Left as they are, because you have not been shown them: {named}. `show` one, then decide.")
    if more:
        told.append(f"Only the newest {MOST_WAITING} that wait for you were looked at.")
    return " ".join(told)


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
        spread=_all,
        clauses={"from": "requester", "for": "action"},
        because="comment",
        urgent=True,
        locks=LEASE_LOCKS,
        usage=f"{name} <ids…>|all [from @<who>] [for <action>] [because <reason>]",
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
