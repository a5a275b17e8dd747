"""Verbs that end things: stop one, stop all, resume."""

from __future__ import annotations

from pydantic import Field

from commands.requesting import checked_reason, own
from commands.verb import Args, Call, Outcome, Permission, Verb
from core import ids
from core.approvals.approval import Approval
from core.approvals.run import find_run
from core.approvals.stop import demand_may_stop, resume_all, stop, stop_all
from core.errors import Forbidden, Invalid
from core.leases.terms import LEASE_LOCKS
from core.store.tx import Tx


class StopArgs(Args):
    """What to stop (`A142`, `R9`, `all`) and why."""

    target: str = Field(max_length=32)
    reason: str = Field(min_length=1, max_length=4096)


class NoArgs(Args):
    """Nothing."""


def _target(tx: Tx, call: Call, target: str) -> Approval:
    if target[:1].upper() == "R":
        return own(tx, call, ids.show("A", find_run(tx, ids.parse("R", target)).approval))
    return own(tx, call, target)


def _stop(tx: Tx, call: Call, args: StopArgs, prepared: None) -> Outcome:
    reason = checked_reason(args.reason)
    if reason is None:
        raise Invalid("missing_reason", "say why: stop A142 because …")
    if args.target.lower() == "all":
        if not call.world.rights.has(call.principal, "stop"):
            raise Forbidden("may_not_stop", "stopping everything needs the right stop")
        stop_all(tx, by=call.principal, channel=call.channel, reason=reason)
        return Outcome(text="Everything is stopped; nothing starts until `resume`.", record=False)
    approval = _target(tx, call, args.target)
    demand_may_stop(tx, call.world, approval, call.principal)
    run = stop(tx, approval, by=call.principal, channel=call.channel, reason=reason)
    what = f"{run.name} of {approval.name} is being killed" if run else f"{approval.name}: stopped before it ran"
    return Outcome(text=what, approval=approval.id)


def _resume(tx: Tx, call: Call, args: NoArgs, prepared: None) -> Outcome:
    resume_all(tx, by=call.principal, channel=call.channel)
    return Outcome(text="Runs may start again.", record=False)


VERBS = (
    Verb(
        name="stop",
        args=StopArgs,
        run=_stop,
        permission=Permission.CHECKED,
        positional=("target",),
        because="reason",
        urgent=True,
        unlimited=True,
        locks=LEASE_LOCKS,
        usage="stop <id>|all because <reason>",
        summary="Kill a run, or stop everything until `resume`.",
    ),
    Verb(
        name="resume",
        args=NoArgs,
        run=_resume,
        permission=Permission.STOP,
        people_only=True,
        urgent=True,
        unlimited=True,
        usage="resume",
        summary="Let runs start again after `stop all`.",
    ),
)
