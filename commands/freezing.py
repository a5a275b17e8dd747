"""Verbs of freezes: freeze, unfreeze, freezes, override."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from commands.requesting import checked_reason, own
from commands.stopping import NoArgs
from commands.verb import Args, Call, Outcome, Permission, Verb
from core.approvals import freeze
from core.approvals.approval import find
from core.approvals.freeze import Freeze
from core.approvals.request import hand_in
from core.approvals.rule import rule_in_force
from core.approvals.states import State
from core.leases.terms import LEASE_LOCKS
from core.moments import parse_moment, show_moment, zone_of
from core.store.tx import Tx


class FreezeArgs(Args):
    """What, until when, and why."""

    resources: Annotated[list[str], Field(min_length=1, max_length=50)]
    until: str = Field(max_length=64)
    reason: str = Field(min_length=1, max_length=500)


class UnfreezeArgs(Args):
    """Which freeze."""

    id: str


class OverrideArgs(Args):
    """Which request the freezes shall not stop, and why."""

    id: str
    reason: str = Field(min_length=1, max_length=4096)


def _freeze(tx: Tx, call: Call, args: FreezeArgs, prepared: None) -> Outcome:
    zone = zone_of(call.principal, call.world.timezone)
    made = freeze.create(
        tx,
        by=call.principal,
        resources=args.resources,
        reason=checked_reason(args.reason) or "",
        until=parse_moment(args.until, now_us=tx.now_us, zone=zone),
        channel=call.channel,
    )
    text = f"{made.name}: {described(made, zone)}"
    return Outcome(text=text, data={"freeze": made.as_json()}, record=False)


def _unfreeze(tx: Tx, call: Call, args: UnfreezeArgs, prepared: None) -> Outcome:
    ended = freeze.end(tx, call.world, args.id, by=call.principal, channel=call.channel)
    return Outcome(text=f"{ended.name} has ended", data={"freeze": ended.as_json()}, record=False)


def _freezes(tx: Tx, call: Call, args: NoArgs, prepared: None) -> Outcome:
    now = freeze.freezes(tx, call.world)
    zone = zone_of(call.principal, call.world.timezone)
    lines = [f"{each.name}: {described(each, zone)}" for each in now]
    text = "\n".join(lines) or "Nothing is frozen."
    coming = [window.name for window in call.world.freezes if window.name not in {each.name for each in now}]
    if coming:
        text += f"\nNot in force now, from hub.yaml: {', '.join(coming)}."
    return Outcome(text=text, data={"items": [each.as_json() for each in now], "planned": coming})


def _override(tx: Tx, call: Call, args: OverrideArgs, prepared: None) -> Outcome:
    approval = own(tx, call, args.id)
    waits = approval.state is State.DRAFT and approval.submitted_at is None and bool(approval.closed_why)
    reason = checked_reason(args.reason) or ""
    found = freeze.override(
        tx,
        call.world,
        approval,
        by=call.principal,
        reason=reason,
        channel=call.channel,
        assurance=call.assurance,
    )
    text = f"{approval.name}: {', '.join(each.name for each in found)} no longer stops this revision"
    if waits:
        approval = find(tx, approval.id)
        hand_in(tx, approval, by=call.principal.id, channel=call.channel, policy=rule_in_force(call.world, approval))
        text += "; it is being checked"
    return Outcome(text=text, approval=approval.id, record=False)


def described(each: Freeze, zone: ZoneInfo) -> str:
    """What is frozen, until when by the reader's clock, by whom and why."""
    return (
        f"{', '.join(each.resources)} until {show_moment(each.until, zone)}, by {each.by or 'hub.yaml'} ({each.reason})"
    )


VERBS = (
    Verb(
        name="freeze",
        args=FreezeArgs,
        run=_freeze,
        permission=Permission.FREEZE,
        rest="resources",
        clauses={"until": "until", "for": "until"},
        because="reason",
        locks=LEASE_LOCKS,
        usage="freeze <kind:name…> until <when> because <reason>",
        summary="Let nothing that needs these be approved or started for a while; * stands for anything.",
    ),
    Verb(
        name="unfreeze",
        args=UnfreezeArgs,
        run=_unfreeze,
        permission=Permission.FREEZE,
        people_only=True,
        positional=("id",),
        locks=LEASE_LOCKS,
        usage="unfreeze <freeze>",
        summary="End a freeze.",
    ),
    Verb(
        name="freezes",
        args=NoArgs,
        run=_freezes,
        permission=Permission.READ,
        usage="freezes",
        summary="What is frozen, until when and why.",
    ),
    Verb(
        name="override",
        args=OverrideArgs,
        run=_override,
        permission=Permission.OVERRIDE,
        people_only=True,
        positional=("id",),
        because="reason",
        urgent=True,
        locks=LEASE_LOCKS,
        usage="override <approval> because <reason>",
        summary="Let one request go on although what it needs is frozen.",
    ),
)
