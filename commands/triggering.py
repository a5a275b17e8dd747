"""Verbs of triggers: triggers, and trigger enable|disable."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from commands.stopping import NoArgs
from commands.verb import Args, Call, Outcome, Permission, Verb
from core.approvals.proposal import visible
from core.errors import Conflict, NotFound
from core.store.rows import Reader
from core.store.tx import Tx
from core.triggers import standing
from core.triggers.past import held_back
from core.triggers.standing import Standing
from core.world import Trigger


class TriggerArgs(Args):
    """Which trigger, and what with it."""

    what: Literal["enable", "disable"]
    name: str = Field(max_length=64)


def _triggers(reader: Reader, call: Call, args: NoArgs) -> Outcome:
    places = standing.standings(reader)
    shown = [
        _json(reader, call, each, places.get(each.name))
        for each in call.world.triggers.values()
        if _may_see(call, each)
    ]
    lines = [_line(each) for each in shown]
    return Outcome(text="\n".join(lines) or "hub.yaml has no triggers.", data={"items": shown})


def _may_see(call: Call, trigger: Trigger) -> bool:
    """Whether the caller may know of it: everybody, unless its action is for some groups only."""
    action = call.world.actions.get(trigger.action)
    return action is None or visible(action, call.principal)


def _json(reader: Reader, call: Call, trigger: Trigger, place: Standing | None) -> dict[str, Any]:
    """The Trigger of docs/http.md."""
    disabled_by = place.disabled_by if place is not None else None
    return {
        "name": trigger.name,
        "on": sorted(trigger.on),
        "when": trigger.when,
        "as": trigger.principal,
        "action": trigger.action,
        "params": dict(trigger.params),
        "reason": trigger.reason,
        "enabled": trigger.enabled and disabled_by is None,
        "disabled_by": disabled_by if trigger.enabled else "hub.yaml",
        "limit": {
            "count": trigger.most,
            "seconds": int(trigger.window_seconds),
            "acted": standing.acted(reader, trigger),
        },
        "most_depth": standing.MOST_DEPTH,
        "seq": place.seq if place is not None else None,
        "suppressed": place.suppressed if place is not None else 0,
        "last": standing.last(reader, trigger.name),
        "held": held_back(reader, trigger.name, with_words=call.world.rights.has(call.principal, "audit")),
    }


def _line(shown: dict[str, Any]) -> str:
    state = "on" if shown["enabled"] else f"off by {shown['disabled_by']}"
    said = [f"{each['approval'] or each['code']} on {each['occasion']}" for each in shown["last"][:3]]
    told = f"; last {', '.join(said)}" if said else "; has not acted"
    return f"{shown['name']}: {', '.join(shown['on'])} → {shown['action']} as {shown['as']}, {state}{told}"


def _trigger(tx: Tx, call: Call, args: TriggerArgs, prepared: None) -> Outcome:
    trigger = call.world.triggers.get(args.name)
    if trigger is None or not _may_see(call, trigger):
        raise NotFound("not_found", f"there is no trigger {args.name!r} that you may see")
    if not trigger.enabled:
        raise Conflict("wrong_state", f"hub.yaml says `enabled: false` for {trigger.name}; change it there")
    change = standing.enable if args.what == "enable" else standing.disable
    change(tx, trigger.name, by=call.principal, channel=call.channel)
    shown = _json(tx, call, trigger, standing.standings(tx).get(trigger.name))
    return Outcome(text=_line(shown), data={"trigger": shown}, record=False)


VERBS = (
    Verb(
        name="triggers",
        args=NoArgs,
        look=_triggers,
        permission=Permission.READ,
        usage="triggers",
        summary="What events and hooks ask for by themselves, and what came of it last.",
    ),
    Verb(
        name="trigger",
        args=TriggerArgs,
        run=_trigger,
        permission=Permission.AUTOMATION,
        people_only=True,
        positional=("what", "name"),
        usage="trigger enable|disable <name>",
        summary="Switch a trigger off, or on again from now on.",
    ),
)
