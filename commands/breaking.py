"""Verbs of what cannot wait: break-glass, and the review that it owes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from commands.requesting import checked_reason, own
from commands.verb import Args, Call, Desk, Outcome, Permission, Verb
from core import ids
from core.approvals import request as asking
from core.approvals.approval import find
from core.approvals.glass import demand_way
from core.approvals.proposal import Proposal, propose
from core.approvals.reviewing import review
from core.errors import Invalid
from core.store.tx import Tx


class BreakGlassArgs(Args):
    """What to run at once, and why it cannot wait."""

    action: str = Field(max_length=64)
    params: dict[str, Any] = Field(default_factory=dict)
    reason: str | None = Field(default=None, max_length=4096)


class ReviewArgs(Args):
    """Which approval, whether it was right, and why."""

    id: str = Field(max_length=32)
    verdict: Literal["ok", "objected"]
    comment: str | None = Field(default=None, max_length=4096)


async def _propose(desk: Desk, call: Call, args: BreakGlassArgs) -> Proposal:
    if not (args.reason or "").strip():
        raise Invalid("reason_required", "say why this cannot wait: break-glass … because …")
    return propose(
        call.world,
        action=args.action,
        params=args.params,
        requester=call.principal,
        channel=call.channel,
        assurance=call.assurance,
        now_us=desk.now_us,
        seal=desk.secret,
        glass=True,
    )


def _break_glass(tx: Tx, call: Call, args: BreakGlassArgs, proposal: Proposal) -> Outcome:
    number = asking.request(
        tx,
        proposal,
        requester=call.principal,
        channel=call.channel,
        address=call.address,
        assurance=call.assurance,
        reason=checked_reason(args.reason),
        draft=False,
        limits=call.world.limits,
        glass=True,
    )
    demand_way(tx, call.world, find(tx, number), proposal.policy)
    name = ids.show("A", number)
    text = f"{name}: BREAK-GLASS, {proposal.title} — runs once it is checked; everybody concerned is told"
    return Outcome(text=text, approval=number)


def _review(tx: Tx, call: Call, args: ReviewArgs, prepared: None) -> Outcome:
    approval = own(tx, call, args.id)
    review(
        tx,
        call.world,
        approval,
        verdict=args.verdict,
        by=call.principal,
        channel=call.channel,
        assurance=call.assurance,
        comment=checked_reason(args.comment),
        evidence=call.evidence,
    )
    said = "reviewed: it was right" if args.verdict == "ok" else "reviewed: you object"
    return Outcome(text=f"{approval.name}: {said}", approval=approval.id, record=False)


VERBS = (
    Verb(
        name="break-glass",
        args=BreakGlassArgs,
        prepare=_propose,
        run=_break_glass,
        permission=Permission.DECIDE,
        wraps_request=True,
        urgent=True,
        usage="break-glass <action> <args…> because <reason>",
        summary="Run it at once, with nobody asked; everybody concerned is told, and somebody must review it.",
    ),
    Verb(
        name="review",
        args=ReviewArgs,
        run=_review,
        permission=Permission.DECIDE,
        positional=("id", "verdict"),
        because="comment",
        urgent=True,
        usage="review <id> ok|objected because <comment>",
        summary="Say afterwards whether what ran by break-glass was right.",
    ),
)
