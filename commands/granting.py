"""Verbs of grants: grant, grants, revoke."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from commands.deciding import card_first, must_see, spoken_for, typed_by
from commands.requesting import checked_reason, own
from commands.verb import Args, Call, Outcome, Permission, Verb
from core import ids
from core.approvals.approval import Approval
from core.approvals.approval import find as find_approval
from core.approvals.decide import Decided, decide
from core.approvals.decision import Again
from core.approvals.grant import Grant, earlier, find, grant_json, in_force
from core.approvals.revoking import revoke
from core.approvals.seeing import may_see
from core.approvals.shown import shown_digest
from core.clock import parse_duration, show_duration
from core.leases.terms import LEASE_LOCKS
from core.moments import show_moment, zone_of
from core.store.rows import Reader
from core.store.tx import Tx

_USAGE = "grant <approval> for <duration> times <count> [because <reason>]"


class GrantArgs(Args):
    """Which approval, for how long and how often the same may run again, and which revision was looked at."""

    id: str = Field(max_length=32)
    seconds: int = Field(ge=1, le=366 * 86_400)
    times: int = Field(ge=1, le=1000)
    digest: str | None = None
    confirm: str | None = Field(default=None, max_length=64)
    comment: str | None = Field(default=None, max_length=4096)

    @field_validator("seconds", mode="before")
    @classmethod
    def _duration(cls, value: Any) -> Any:
        return int(parse_duration(value)) if isinstance(value, str) else value


class GrantsArgs(Args):
    """Those in force, or also those that ended."""

    which: Literal["active", "all"] = "active"


class RevokeArgs(Args):
    """Which grant."""

    id: str = Field(max_length=32)
    reason: str | None = Field(default=None, max_length=4096)


def _grant(tx: Tx, call: Call, args: GrantArgs, prepared: None) -> Outcome:
    approval = own(tx, call, args.id)
    digest = args.digest or shown_digest(tx, approval, call.principal.id, call.said_at_us)
    if digest is None and must_see(call, approval):
        return card_first(tx, approval, call.principal.id)
    again = Again(seconds=args.seconds, times=args.times)
    decided = decide(
        tx,
        call.world,
        approval,
        verdict="approve",
        by=call.principal,
        digest=digest,
        channel=call.channel,
        assurance=call.assurance,
        comment=checked_reason(args.comment),
        evidence=call.evidence,
        typed=typed_by(call, args.confirm, args.id),
        again=again,
    )
    data = {"grant": grant_json(tx, decided.grant) if decided.grant is not None else None}
    return Outcome(
        text=f"{approval.name}: {_words(call, decided, again)}", approval=approval.id, data=data, record=False
    )


def _words(call: Call, decided: Decided, again: Again) -> str:
    if not decided.first:
        return "you had chosen that already"
    said = f"approved{spoken_for(decided)}"
    if decided.grant is not None:
        until = show_moment(decided.grant.until, zone_of(call.principal, call.world.timezone))
        return f"{said}; {decided.grant.name}: {_how_often(again)} until {until}, asked for by the same requester"
    if decided.state == "REVIEWING":
        return f"{said}, and {_how_often(again)} within {show_duration(again.seconds)}; others must choose the same"
    return f"{said}; no grant, because those who approved did not all choose the same"


def _how_often(again: Again) -> str:
    return "the same once more" if again.times == 1 else f"the same {again.times} more times"


def seen(reader: Reader, call: Call, name: str) -> tuple[Grant, Approval]:
    """The grant of that id and the approval it was chosen with, if the caller may see it. Raises NotFound."""
    number = ids.parse("G", name)
    grant = find(reader, number)
    approval = find_approval(reader, grant.approval)
    if not may_see(call.world, call.principal, approval):
        raise ids.missing("G", number)
    return grant, approval


def listing(reader: Reader, call: Call, which: Literal["active", "all"], *, before: int, limit: int) -> list[Grant]:
    """Up to `limit` grants below the number `before` that the caller may see, the newest first."""

    def may(grant: Grant) -> bool:
        return may_see(call.world, call.principal, find_approval(reader, grant.approval))

    if which == "active":
        return [each for each in in_force(reader)[::-1] if each.id < before and may(each)][:limit]
    found: list[Grant] = []
    while len(found) < limit and (page := earlier(reader, before)):
        found += filter(may, page)
        before = page[-1].id
    return found[:limit]


def _grants(reader: Reader, call: Call, args: GrantsArgs) -> Outcome:
    found = listing(reader, call, args.which, before=2**62, limit=50)
    lines = [_line(reader, call, each) for each in found]
    text = "\n".join(lines) or "There are no grants."
    return Outcome(text=text, data={"items": [grant_json(reader, each) for each in found]})


def _line(reader: Reader, call: Call, grant: Grant) -> str:
    approval = find_approval(reader, grant.approval)
    until = show_moment(grant.until, zone_of(call.principal, call.world.timezone))
    ended = f"ended: {grant.ended}" if grant.ended_at is not None else f"until {until}"
    chosen = ", ".join(dict.fromkeys(each["by"] for each in grant_json(reader, grant)["chosen_by"]))
    return (
        f"{grant.name}: {approval.title}, for {approval.requester}; {grant.used} of {grant.times} used, {ended}; "
        f"chosen by {chosen or 'nobody any more'} on {approval.name}"
    )


def _revoke(tx: Tx, call: Call, args: RevokeArgs, prepared: None) -> Outcome:
    grant, _ = seen(tx, call, args.id)
    ended, back = revoke(
        tx, call.world, grant, by=call.principal, channel=call.channel, reason=checked_reason(args.reason)
    )
    text = f"{ended.name} has ended after {ended.used} of {ended.times} uses"
    if back:
        text += f"; back in review, for they had not started: {', '.join(back)}"
    return Outcome(text=text, data={"grant": grant_json(tx, ended), "reopened": back}, record=False)


VERBS = (
    Verb(
        name="grant",
        args=GrantArgs,
        run=_grant,
        permission=Permission.DECIDE,
        positional=("id",),
        clauses={"for": "seconds", "times": "times"},
        because="comment",
        urgent=True,
        locks=LEASE_LOCKS,
        usage=_USAGE,
        summary="Approve it, and let the same requester run the same again, so long and so often.",
    ),
    Verb(
        name="grants",
        args=GrantsArgs,
        look=_grants,
        permission=Permission.READ,
        positional=("which",),
        usage="grants [active|all]",
        summary="What may run again without being asked for, until when, and who chose it.",
    ),
    Verb(
        name="revoke",
        args=RevokeArgs,
        run=_revoke,
        permission=Permission.CHECKED,
        positional=("id",),
        because="reason",
        urgent=True,
        unlimited=True,
        locks=LEASE_LOCKS,
        usage="revoke <grant> [because <reason>]",
        summary="End a grant at once; what it approved and has not started goes back to review.",
    ),
)
