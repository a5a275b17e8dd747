"""What triggers say: an action that exists, parameters that it takes, expressions that can always be evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from config.check_policies import samples
from config.problem import Path, Problem
from config.schema import Hub, Trigger
from config.source import Source
from core.apply.action import Action, Param
from core.apply.params import check_value
from core.errors import Invalid, Refusal
from core.policy.expression import Expression, ExpressionFailed
from core.triggers.matching import NO_APPROVAL, OF_EVENT, OF_HOOK

_MOMENT = datetime(2026, 1, 1, 12, tzinfo=UTC)

Found = tuple[bool, Problem]
"""Whether it is only a warning, and the problem."""


def check_triggers(hub: Hub, source: Source, actions: Mapping[str, Action]) -> Iterator[Found]:
    """Every problem with triggers."""
    for name, trigger in hub.triggers.items():
        path: Path = ("triggers", name)
        if trigger.principal not in {*hub.agents, *hub.services}:
            why = "is a person; a trigger never acts as one" if trigger.principal in hub.people else "is nobody here"
            yield False, source.problem((*path, "as"), f"{trigger.principal} {why}", "name an agent or a service")
        yield from _occasions(hub, source, path, trigger)
        action = actions.get(trigger.action)
        if action is None:
            known = ", ".join(sorted(actions)) or "none"
            yield False, source.problem((*path, "action"), f"there is no action {trigger.action}", f"there are {known}")
        else:
            yield from _params(source, path, trigger, action)
        yield from _expressions(source, path, trigger, actions)


def _occasions(hub: Hub, source: Source, path: Path, trigger: Trigger) -> Iterator[Found]:
    hooks = [each.removeprefix("hook:") for each in _hooks(trigger)]
    if hooks and len(trigger.on) > 1:
        yield False, source.problem((*path, "on"), "a hook stands alone", "make two triggers")
    for name in hooks:
        if name not in hub.hooks:
            yield False, source.problem((*path, "on"), f"there is no hook {name}", "add it under hooks")
        elif hub.hooks[name].action is not None:
            yield False, source.problem((*path, "on"), f"the hook {name} asks for an action itself", "take one out")


def _hooks(trigger: Trigger) -> list[str]:
    return [each for each in trigger.on if each.startswith("hook:") and each != "hook:refused"]


def _params(source: Source, path: Path, trigger: Trigger, action: Action) -> Iterator[Found]:
    """Parameters that the action does not have, needs, or keeps secret."""
    params = {param.name: param for param in action.params}
    for name in trigger.params:
        param = params.get(name)
        where: Path = (*path, "params", name)
        if param is None:
            known = ", ".join(params) or "none"
            yield False, source.problem(where, f"{action.name} has no parameter {name}", f"there are {known}")
        elif param.secret:
            yield False, source.problem(where, f"{name} is secret, and a trigger keeps no secrets", "take it out")
    for name, param in params.items():
        if param.required and param.default is None and name not in trigger.params:
            yield (
                False,
                source.problem((*path, "params"), f"{action.name} needs {name}", f"add {name}: a CEL expression"),
            )


def _expressions(source: Source, path: Path, trigger: Trigger, actions: Mapping[str, Action]) -> Iterator[Found]:
    names = OF_HOOK if _hooks(trigger) else OF_EVENT
    texts: dict[Path, str] = {("params", name): text for name, text in trigger.params.items()}
    texts |= {(key,): text for key, text in (("when", trigger.when), ("reason", trigger.reason)) if text is not None}
    action = actions.get(trigger.action)
    params = {param.name: param for param in action.params} if action is not None else {}
    for key, text in texts.items():
        where: Path = (*path, *key)
        try:
            expression = Expression.compile(text, names)
        except Invalid as refusal:
            yield False, source.problem(where, refusal.message)
            continue
        param = params.get(str(key[-1])) if key[0] == "params" else None
        if not expression.names:
            yield from _constant(source, where, expression, param, condition=key == ("when",))
        elif expression.names <= {"event", "approval"}:
            yield from _tried(source, where, expression, trigger, actions, condition=key == ("when",))


def _constant(
    source: Source, where: Path, expression: Expression, param: Param | None, *, condition: bool
) -> Iterator[Found]:
    """What does not depend on anything is worked out now."""
    try:
        value = expression.holds({}) if condition else expression.evaluate({})
        if param is not None:
            check_value(param, value)
    except Refusal as refusal:
        yield False, source.problem(where, refusal.message, "a text stands in quotes inside: '\"staging\"'")


def _tried(
    source: Source,
    where: Path,
    expression: Expression,
    trigger: Trigger,
    actions: Mapping[str, Action],
    *,
    condition: bool,
) -> Iterator[Found]:
    """Tried on each event with a request for each action; whatever fails there may fail on some and matches none."""
    for event in trigger.on:
        for action in actions.values() if event.startswith(("approval:", "apply:", "rollback:")) else ():
            approval = _approval(action)
            try:
                (expression.holds if condition else expression.evaluate)({"event": event, "approval": approval})
            except ExpressionFailed as failure:
                if not condition:  # which approvals reach it is for `when` to say
                    continue
                remedy = 'begin with approval.action == "…" &&, or has(approval.params.…) &&'
                yield True, source.problem(where, f"fails for a request for {action.name}: {failure.message}", remedy)
                return


def _approval(action: Action) -> dict[str, Any]:
    params = {param.name: samples(param)[0] for param in action.params if not param.secret}
    return {**NO_APPROVAL, "action": action.name, "params": params}
