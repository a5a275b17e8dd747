"""Verbs of those who ask: request, submit, edit, withdraw, comment, apply, retry."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from commands.verb import Args, Call, Desk, Outcome, Permission, Verb
from core import ids
from core.agents.budget import notice
from core.approvals import request as asking
from core.approvals import rollback
from core.approvals.approval import Approval, change, find
from core.approvals.freeze import words
from core.approvals.proposal import Proposal, propose
from core.approvals.rule import rule_of
from core.approvals.seeing import may_see
from core.approvals.states import State
from core.errors import Conflict, Forbidden, Invalid, Stale, TooFast
from core.leases.terms import LEASE_LOCKS
from core.people.directory import Kind
from core.store.rows import Reader
from core.store.tx import Tx
from core.text import refuse_invisible

Reason = Annotated[str | None, Field(default=None, max_length=4096)]
Ids = Annotated[list[str], Field(min_length=1, max_length=50)]


class RequestArgs(Args):
    """What to do and why."""

    action: str = Field(max_length=64)
    params: dict[str, Any] = Field(default_factory=dict)
    reason: Reason = None
    draft: bool = False


class IdsArgs(Args):
    """Which approvals."""

    ids: Ids
    reason: Reason = None


class EditArgs(Args):
    """Which approval, and what is different now."""

    id: str
    params: dict[str, Any] = Field(default_factory=dict)
    reason: Reason = None
    version: int | None = None


class CommentArgs(Args):
    """Which approvals, and what to say."""

    ids: Ids
    comment: str = Field(min_length=1, max_length=4096)
    digest: str | None = None


def own(reader: Reader, call: Call, name: str) -> Approval:
    """The approval of that id, if the caller may see it. Raises NotFound as for one that does not exist."""
    number = ids.parse("A", name)
    approval = find(reader, number)
    if not may_see(call.world, call.principal, approval):
        raise ids.missing("A", number)
    return approval


def checked_reason(text: str | None) -> str | None:
    """Free text that a person will read: no characters that hide or reorder."""
    if text is not None:
        refuse_invisible(text, multiline=True)
    return text or None


async def _propose(desk: Desk, call: Call, args: RequestArgs) -> Proposal:
    return propose(
        call.world,
        action=args.action,
        params=args.params,
        requester=call.principal,
        channel=call.channel,
        assurance=call.assurance,
        now_us=desk.now_us,
        seal=desk.secret,
    )


def _request(tx: Tx, call: Call, args: RequestArgs, proposal: Proposal) -> Outcome:
    try:
        number = asking.request(
            tx,
            proposal,
            requester=call.principal,
            channel=call.channel,
            address=call.address,
            assurance=call.assurance,
            reason=checked_reason(args.reason),
            draft=args.draft,
            limits=call.world.limits,
            cause=call.cause,
        )
    except TooFast as refusal:  # nothing was changed, and that it was refused is news for the agent's owner
        notice(tx, call.principal, refusal.message)
        return Outcome(ok=False, code=refusal.code, text=refusal.message, refusal=refusal)
    name = ids.show("A", number)
    if not args.draft and (held := _held_back(tx, call, number)) is not None:
        return held
    what = "is a draft" if args.draft else "is being checked"
    return Outcome(text=f"{name}: {proposal.title} — {what}, policy {proposal.policy.name}", approval=number)


def _held_back(tx: Tx, call: Call, number: int) -> Outcome | None:
    """The answer to a request for what is frozen, which is kept as a draft; None when nothing stands in its way."""
    found = asking.hold_back(tx, call.world, find(tx, number))
    if not found:
        return None
    name = ids.show("A", number)
    text = f"{name} is kept as a draft: {words(found, name)}, or `submit {name}` once it is over"
    return Outcome(ok=False, code="frozen", text=text, approval=number)


def _submit(tx: Tx, call: Call, args: IdsArgs, prepared: None) -> Outcome:
    for name in args.ids:
        approval = own(tx, call, name)
        policy = rule_of(call.world, approval)
        if policy is None or policy.canonical != approval.policy_json:
            raise Conflict("policy_changed", f"the policy of {approval.name} changed; edit it, then submit it")
        asking.submit(tx, call.world, approval, by=call.principal, channel=call.channel, policy=policy)
    return Outcome(text=f"{', '.join(args.ids)}: handed in", approval=ids.parse("A", args.ids[0]))


def _withdraw(tx: Tx, call: Call, args: IdsArgs, prepared: None) -> Outcome:
    for name in args.ids:
        approval = own(tx, call, name)
        asking.withdraw(tx, approval, by=call.principal, channel=call.channel, reason=checked_reason(args.reason))
    return Outcome(text=f"{', '.join(args.ids)}: taken back", approval=ids.parse("A", args.ids[0]))


async def _prepare_edit(desk: Desk, call: Call, args: EditArgs) -> tuple[Proposal, int]:
    approval: Approval = await desk.read(lambda reader: own(reader, call, args.id))
    asking.demand_own(approval, call.principal)
    if args.version is not None and args.version != approval.version:
        raise Stale("version_stale", f"{approval.name} has changed since you read it", version=approval.version)
    action = call.world.actions.get(approval.action)
    secret = {param.name for param in action.params if param.secret} if action else set()
    params = {**approval.params, **args.params}
    if missing := sorted(secret - set(params)):
        raise Invalid("missing_parameter", f"give the secret {missing[0]} again: it cannot be read back")
    requester = call.world.people.find(approval.requester)
    proposal = propose(
        call.world,
        action=approval.action,
        params=params,
        requester=requester or call.principal,
        channel=call.channel,
        assurance=call.assurance,
        now_us=desk.now_us,
        seal=desk.secret,
    )
    return proposal, approval.version


def _edit(tx: Tx, call: Call, args: EditArgs, prepared: tuple[Proposal, int]) -> Outcome:
    proposal, version = prepared
    approval = own(tx, call, args.id)
    if approval.version != version:
        raise Stale("version_stale", f"{approval.name} has changed since you read it", version=approval.version)
    reason = checked_reason(args.reason)
    asking.revise(
        tx,
        approval,
        proposal,
        by=call.principal.id,
        channel=call.channel,
        reason=reason if reason is not None else approval.reason,
        why="edited",
    )
    return Outcome(text=f"{approval.name}: revision {approval.revision + 1}, decisions dropped", approval=approval.id)


def _comment(tx: Tx, call: Call, args: CommentArgs, prepared: None) -> Outcome:
    comment = checked_reason(args.comment)
    for name in args.ids:
        approval = own(tx, call, name)
        tx.record(
            "approval:commented",
            actor=call.principal.id,
            subject=approval.name,
            channel=call.channel,
            details={"revision": approval.revision},
            private={"comment": comment},
        )
    return Outcome(text=f"{', '.join(args.ids)}: noted", approval=ids.parse("A", args.ids[0]))


def _apply(tx: Tx, call: Call, args: IdsArgs, prepared: None) -> Outcome:
    for name in args.ids:
        approval = own(tx, call, name)
        asking.demand_own(approval, call.principal)
        if approval.state is not State.APPROVED:
            raise Conflict("wrong_state", f"{approval.name} is {approval.state}; only an APPROVED one can be applied")
        if approval.start == "manual" and approval.apply_asked_at is None:
            change(tx, approval, before="apply_expires_at", apply_asked_at=tx.now_us)
    return Outcome(text=f"{', '.join(args.ids)}: starting", approval=ids.parse("A", args.ids[0]))


def _rollback(tx: Tx, call: Call, args: IdsArgs, prepared: None) -> Outcome:
    if len(args.ids) != 1:
        raise Invalid("usage", "roll back one approval at a time")
    if call.principal.kind is Kind.OPERATOR:
        raise Forbidden("not_allowed", "the operator administers, and decides nothing")
    approval = own(tx, call, args.ids[0])
    if not call.may_decide:
        raise Forbidden("key_may_not_decide", "this key was made without the right to decide")
    said = rollback.ask(
        tx,
        call.world,
        approval,
        by=call.principal,
        channel=call.channel,
        assurance=call.assurance,
        reason=checked_reason(args.reason),
    )
    if said.decided:
        return Outcome(text=f"{approval.name}: rolling back", approval=approval.id, record=False)
    missing = ", ".join(
        f"{each.lacking} of {each.requirement.group or each.requirement.person}" for each in said.count.missing
    )
    told = "your voice counts" if said.first else "you had said so already"
    return Outcome(
        text=f"{approval.name}: {told}; still needed: {missing or 'nobody'}", approval=approval.id, record=False
    )


async def _prepare_retry(desk: Desk, call: Call, args: IdsArgs) -> tuple[Proposal, Approval]:
    if len(args.ids) != 1:
        raise Invalid("usage", "retry one approval at a time")
    old: Approval = await desk.read(lambda reader: own(reader, call, args.ids[0]))
    _demand_retryable(call, old)
    proposal = propose(
        call.world,
        action=old.action,
        params=old.params,
        requester=call.principal,
        channel=call.channel,
        assurance=call.assurance,
        now_us=desk.now_us,
        seal=desk.secret,
    )
    return proposal, old


def _demand_retryable(call: Call, old: Approval) -> None:
    """Raises Conflict (`wrong_state`, `rolling_back`, `retried`), Invalid `secret_needed`."""
    if old.state not in (State.FAILED, State.EXPIRED, State.REJECTED, State.WITHDRAWN):
        raise Conflict("wrong_state", f"{old.name} is {old.state}; only what failed or never ran is retried")
    if old.rollback_asked_at is not None:
        raise Conflict("rolling_back", f"the rollback of {old.name} was decided; wait for its end")
    if old.retried_as is not None:
        again = ids.show("A", old.retried_as)
        raise Conflict("retried", f"{old.name} was asked for again as {again}; go on there", retried_as=again)
    action = call.world.actions.get(old.action)
    hidden = [each.name for each in action.params if each.secret] if action else []
    if hidden:
        raise Invalid(
            "secret_needed", f"the secret {hidden[0]} cannot be read back, so ask anew: run {old.action} …, with it"
        )


def _retry(tx: Tx, call: Call, args: IdsArgs, prepared: tuple[Proposal, Approval]) -> Outcome:
    proposal, seen = prepared
    old = own(tx, call, seen.name)
    _demand_retryable(call, old)
    last = f"attempt {old.attempt} ({old.name}) ended {old.state}" + (f": {old.closed_why}" if old.closed_why else "")
    number = asking.request(
        tx,
        proposal,
        requester=call.principal,
        channel=call.channel,
        address=call.address,
        assurance=call.assurance,
        reason=checked_reason(args.reason) or f"{old.reason or 'retry'} — {last}",
        draft=False,
        limits=call.world.limits,
        retry_of=old,
    )
    if (held := _held_back(tx, call, number)) is not None:
        return held
    return Outcome(text=f"{ids.show('A', number)}: attempt {old.attempt + 1}; {last}", approval=number)


_REQUEST = Verb(
    name="request",
    args=RequestArgs,
    prepare=_propose,
    run=_request,
    permission=Permission.REQUEST,
    structured=True,
    usage="<action> <args…> [because <reason>]",
    summary="Ask for an action.",
)

VERBS = (
    _REQUEST,
    replace(
        _REQUEST,
        name="run",
        structured=False,
        wraps_request=True,
        stands_for="request",
        usage="run <action> <args…> [because <reason>]",
        summary="Ask for an action, whatever its name.",
    ),
    Verb(
        name="submit",
        args=IdsArgs,
        run=_submit,
        permission=Permission.REQUEST,
        rest="ids",
        usage="submit <ids…>",
        summary="Hand in a draft.",
    ),
    Verb(
        name="edit",
        args=EditArgs,
        prepare=_prepare_edit,
        run=_edit,
        permission=Permission.REQUEST,
        positional=("id",),
        keyed="params",
        because="reason",
        locks=LEASE_LOCKS,
        usage="edit <id> key=value… [because <reason>]",
        summary="Make a new revision; earlier decisions no longer count.",
    ),
    Verb(
        name="withdraw",
        args=IdsArgs,
        run=_withdraw,
        permission=Permission.REQUEST,
        rest="ids",
        because="reason",
        urgent=True,
        locks=LEASE_LOCKS,
        usage="withdraw <ids…> [because <reason>]",
        summary="Take a request back.",
    ),
    Verb(
        name="comment",
        args=CommentArgs,
        run=_comment,
        permission=Permission.READ,
        positional=(),
        rest="ids",
        because="comment",
        usage="comment <ids…> because <text>",
        summary="Say something about a request.",
    ),
    Verb(
        name="apply",
        args=IdsArgs,
        run=_apply,
        permission=Permission.REQUEST,
        rest="ids",
        usage="apply <ids…>",
        summary="Start an approved request whose action waits for this.",
    ),
    Verb(
        name="rollback",
        args=IdsArgs,
        run=_rollback,
        permission=Permission.READ,
        rest="ids",
        because="reason",
        urgent=True,
        locks=LEASE_LOCKS,
        usage="rollback <id> [because <reason>]",
        summary="Take back what ran, as its policy says who may.",
    ),
    Verb(
        name="retry",
        args=IdsArgs,
        prepare=_prepare_retry,
        run=_retry,
        permission=Permission.REQUEST,
        rest="ids",
        because="reason",
        usage="retry <id> [because <reason>]",
        summary="Ask again for what failed or never ran; it is decided afresh.",
    ),
)
