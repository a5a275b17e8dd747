"""Schedules as they are shown: one line for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from commands.verb import Call
from core import ids
from core.apply.template import render
from core.approvals.approval import find as find_approval
from core.clock import rfc3339
from core.moments import show_moment, zone_of
from core.schedules.schedule import Schedule
from core.store.rows import Reader

MOST_UPCOMING = 3
"""Times to come that a schedule is shown with."""


def _what(call: Call, schedule: Schedule) -> str:
    """The command in a few words: an action by its title of now."""
    args = schedule.args
    if schedule.verb != "request":
        return f"{schedule.verb} {', '.join(args['resources'])}"
    action, params = call.world.actions.get(args["action"]), args["params"]
    if action is not None and {param.name for param in action.params} == params.keys():
        return render(action.title, params)
    return " ".join([args["action"], *(f"{name}={value}" for name, value in params.items())])


def said(reader: Reader, call: Call, schedule: Schedule) -> str:
    """One line about it, its times in the zone of whoever reads."""
    zone = zone_of(call.principal, call.world.timezone)
    when = f'"{schedule.cron}" {schedule.timezone}' if schedule.cron is not None else "once"
    state = f"next {show_moment(schedule.next_at, zone)}" if schedule.next_at is not None else schedule.state
    last = _last(reader, schedule)
    told = f"; last {show_moment(schedule.last_at or 0, zone)}: {_outcome(last)}" if last is not None else ""
    return f"{schedule.name}: {_what(call, schedule)} — {when}, {state}, as {schedule.owner}{told}"


def _outcome(last: dict[str, Any]) -> str:
    if last["approval"] is None:
        return str(last["code"])
    return f"{last['approval']} {str(last['state']).lower()}"


def _last(reader: Reader, schedule: Schedule) -> dict[str, Any] | None:
    if schedule.last_at is None:
        return None
    number = schedule.last_approval
    return {
        "at": rfc3339(schedule.last_at),
        "code": schedule.last_code,
        "approval": ids.show("A", number) if number is not None else None,
        "state": str(find_approval(reader, number).state) if number is not None else None,
    }


def _upcoming(schedule: Schedule) -> Iterator[int]:
    """Its next few times, the first of them `next_at`."""
    at = schedule.next_at
    for _ in range(MOST_UPCOMING):
        if at is None:
            return
        yield at
        at = schedule.timing.after(at)


def as_json(reader: Reader, call: Call, schedule: Schedule) -> dict[str, Any]:
    """The Schedule of docs/http.md."""
    zone = zone_of(call.principal, call.world.timezone)
    return {
        "id": schedule.name,
        "owner": schedule.owner,
        "state": schedule.state,
        "command": {"verb": schedule.verb, "args": dict(schedule.args)},
        "title": _what(call, schedule),
        "cron": schedule.cron,
        "at": rfc3339(schedule.once_at) if schedule.once_at is not None else None,
        "timezone": schedule.timezone,
        "missed": schedule.missed,
        "next_at": rfc3339(schedule.next_at) if schedule.next_at is not None else None,
        "next_said": show_moment(schedule.next_at, zone) if schedule.next_at is not None else None,
        "upcoming": [rfc3339(each) for each in _upcoming(schedule)],
        "last": _last(reader, schedule),
        "fired": schedule.fired,
        "missed_times": schedule.missed_times,
        "paused_by": schedule.paused_by,
        "created_at": rfc3339(schedule.created_at),
        "ended_at": rfc3339(schedule.ended_at) if schedule.ended_at is not None else None,
        "ended_why": schedule.ended,
    }
