"""Verbs of schedules: schedule, schedules, pause, unpause, unschedule, fire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from commands import freezing, locking, requesting, steering
from commands.permitting import demand_may
from commands.requesting import checked_reason
from commands.timetable import as_json, said
from commands.verb import Args, Call, Desk, Outcome, Permission, Verb
from core import ids
from core.approvals.proposal import Proposal, visible
from core.clock import parse_duration
from core.errors import Forbidden, Invalid, Refusal
from core.leases.resource import check
from core.moments import zone_of
from core.people.assurance import Assurance
from core.people.directory import Kind
from core.schedules import schedule as schedules
from core.schedules.schedule import Missed, Schedule, answering, demand_control
from core.schedules.timing import Timing, read_timing
from core.store.rows import Reader
from core.store.tx import Tx

SCHEDULABLE = {
    verb.name: verb
    for verb in (*requesting.VERBS, *locking.VERBS, *freezing.VERBS)
    if verb.name in ("request", "lock", "freeze")
}
"""The verbs that may be scheduled, a closed list: nothing here decides, overrides or lets anybody in."""

_STEERING = {verb.name: verb for verb in steering.VERBS}


class CommandArgs(Args):
    """A verb of the closed list, and its arguments."""

    verb: str = Field(max_length=64)
    args: dict[str, Any] = Field(default_factory=dict)


class ScheduleArgs(Args):
    """When, what, in which zone, and what becomes of times that were missed."""

    when: str = Field(max_length=128)
    command: CommandArgs
    timezone: str | None = Field(default=None, max_length=64)
    missed: Missed = "skip"


class SchedulesArgs(Args):
    """Mine (also those of agents and services that I answer for), or all."""

    which: Literal["mine", "all"] = "all"


class IdArgs(Args):
    """Which schedule."""

    id: str = Field(max_length=64)


class PauseArgs(IdArgs):
    """Which schedule or agent, and why."""

    reason: str | None = Field(default=None, max_length=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A schedule that may be made: its timing, and its arguments in the form that is kept."""

    timing: Timing
    args: dict[str, Any]


async def _plan(desk: Desk, call: Call, args: ScheduleArgs) -> _Plan:
    verb = SCHEDULABLE.get(args.command.verb)
    if verb is None:
        allowed = "an action, `lock` or `freeze`"
        raise Forbidden("not_schedulable", f"{args.command.verb[:40]} is never scheduled; what can be is {allowed}")
    demand_may(call, verb)
    checked = verb.read(args.command.args)
    prepared = await verb.prepare(desk, call, checked) if verb.prepare else None
    timing = read_timing(args.when, now_us=desk.now_us, zone=_zone(call, args.timezone))
    return _Plan(timing=timing, args=_kept(checked, prepared))


def _zone(call: Call, name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name) if name is not None else zone_of(call.principal, call.world.timezone)
    except (KeyError, ValueError, OSError):
        raise Invalid("bad_timezone", f"{(name or '')[:40]!r} is no time zone; they look like Europe/Madrid") from None


def _kept(args: Any, proposal: Proposal | None) -> dict[str, Any]:
    """The arguments as they are kept: typed, with a meaning that no later day changes.

    Raises Invalid (`secret_in_schedule`, `needs_duration`, and what the resources or the reason refuse).
    """
    checked_reason(args.reason)
    match args:
        case requesting.RequestArgs():
            assert proposal is not None
            if proposal.secrets:
                name = min(proposal.secrets)
                raise Invalid("secret_in_schedule", f"{name} is secret, and a schedule keeps no secrets")
            return {"action": args.action, "params": dict(proposal.params), "reason": args.reason}
        case freezing.FreezeArgs():
            _check_duration(args.until)
    for resource in args.resources:
        check(resource.replace("*", "x"))
    return dict(args.model_dump())


def _check_duration(text: str) -> None:
    try:
        parse_duration(text.removeprefix("for ").replace(" ", ""))
    except Refusal:
        raise Invalid("needs_duration", "a scheduled freeze begins at its time: say how long, like `for 2h`") from None


def _schedule(tx: Tx, call: Call, args: ScheduleArgs, plan: _Plan) -> Outcome:
    made = schedules.create(
        tx,
        by=call.principal,
        channel=call.channel,
        address=call.address,
        assurance=min(call.assurance, Assurance.CHAT),  # nobody is there to prove more when it comes due
        timing=plan.timing,
        missed=args.missed,
        verb=args.command.verb,
        args=plan.args,
    )
    return _answer(tx, call, made)


def _answer(tx: Tx, call: Call, schedule: Schedule) -> Outcome:
    return Outcome(text=said(tx, call, schedule), data={"schedule": as_json(tx, call, schedule)}, record=False)


def _schedules(reader: Reader, call: Call, args: SchedulesArgs) -> Outcome:
    found = [each for each in schedules.living(reader) if _may_see(call, each)]
    if args.which == "mine":
        found = [each for each in found if call.principal.id in {each.owner, *answering(call.world, each)}]
    lines = [said(reader, call, each) for each in found]
    return Outcome(
        text="\n".join(lines) or "Nothing is scheduled.",
        data={"items": [as_json(reader, call, each) for each in found]},
    )


def _may_see(call: Call, schedule: Schedule) -> bool:
    """Whether the caller may know of it: everybody, unless its action is for some groups only."""
    if call.principal.id in {schedule.owner, *answering(call.world, schedule)}:
        return True
    action = call.world.actions.get(schedule.args.get("action", ""))
    return call.world.rights.has(call.principal, "read") and (action is None or visible(action, call.principal))


def own(reader: Reader, call: Call, name: str) -> Schedule:
    """The schedule of that id, if the caller may see it. Raises NotFound as for one that does not exist."""
    found = schedules.find(reader, ids.parse("S", name))
    if not _may_see(call, found):
        raise ids.missing("S", found.id)
    return found


def _one(reader: Reader, call: Call, args: IdArgs) -> Outcome:
    found = own(reader, call, args.id)
    return Outcome(text=said(reader, call, found), data={"schedule": as_json(reader, call, found)})


def _controlled(tx: Tx, call: Call, name: str) -> Schedule:
    found = own(tx, call, name)
    demand_control(call.world, found, call.principal)
    return found


def _is_agent(call: Call, name: str, verb: str) -> bool:
    """Whether that names an agent, whom only people pause. Raises Forbidden for anybody else who names one."""
    agent = call.world.people.find(name)
    if agent is None or agent.kind is not Kind.AGENT:
        return False
    demand_may(call, _STEERING[verb])
    return True


def _pause(tx: Tx, call: Call, args: PauseArgs, prepared: None) -> Outcome:
    if _is_agent(call, args.id, "agent-pause"):
        return steering.pause(tx, call, args.id, args.reason)
    found = _controlled(tx, call, args.id)
    return _answer(tx, call, schedules.pause(tx, found, by=call.principal, channel=call.channel))


def _unpause(tx: Tx, call: Call, args: IdArgs, prepared: None) -> Outcome:
    if _is_agent(call, args.id, "agent-unpause"):
        return steering.unpause(tx, call, args.id)
    found = _controlled(tx, call, args.id)
    return _answer(tx, call, schedules.unpause(tx, call.world, found, by=call.principal, channel=call.channel))


def _unschedule(tx: Tx, call: Call, args: IdArgs, prepared: None) -> Outcome:
    found = _controlled(tx, call, args.id)
    return _answer(tx, call, schedules.end(tx, found, by=call.principal.id, channel=call.channel, why="unscheduled"))


def _fire(tx: Tx, call: Call, args: IdArgs, prepared: None) -> Outcome:
    found = own(tx, call, args.id)
    if call.principal.id not in {found.owner, *answering(call.world, found)}:
        message = f"{found.name} acts as {found.owner}; only they can have it act now"
        raise Forbidden("not_yours", message)
    schedules.force(tx, found, by=call.principal)
    return Outcome(text=f"{found.name} gives its command now", data={"schedule": as_json(tx, call, found)})


VERBS = (
    Verb(
        name="schedule",
        args=ScheduleArgs,
        prepare=_plan,
        run=_schedule,
        permission=Permission.REQUEST,
        positional=("when",),
        clauses={"in": "timezone", "missed": "missed"},
        command="command",
        usage='schedule "<minute hour day month weekday>"|<time> [in <zone>] [missed skip|run-once] <command>',
        summary="Give a command at its times: an action, lock or freeze, as yourself, authorised again each time.",
    ),
    Verb(
        name="schedules",
        args=SchedulesArgs,
        look=_schedules,
        permission=Permission.READ,
        positional=("which",),
        usage="schedules [mine|all]",
        summary="What is scheduled, when it comes next, and what came of it last.",
    ),
    Verb(
        name="show-schedule",
        args=IdArgs,
        look=_one,
        permission=Permission.READ,
        structured=True,
        usage="show-schedule <schedule>",
        summary="One schedule.",
    ),
    Verb(
        name="pause",
        args=PauseArgs,
        run=_pause,
        permission=Permission.CHECKED,
        positional=("id",),
        because="reason",
        usage="pause <schedule>|<agent> [because <reason>]",
        summary="Let a schedule give no command, or an agent ask for nothing new, until `unpause`.",
    ),
    Verb(
        name="unpause",
        args=IdArgs,
        run=_unpause,
        permission=Permission.CHECKED,
        positional=("id",),
        usage="unpause <schedule>|<agent>",
        summary="Let a paused schedule go on from its next time, or an agent ask again.",
    ),
    Verb(
        name="unschedule",
        args=IdArgs,
        run=_unschedule,
        permission=Permission.CHECKED,
        positional=("id",),
        usage="unschedule <schedule>",
        summary="End a schedule.",
    ),
    Verb(
        name="fire",
        args=IdArgs,
        run=_fire,
        permission=Permission.CHECKED,
        positional=("id",),
        usage="fire <schedule>",
        summary="Have your schedule give its command now, once, beside its times.",
    ),
)
