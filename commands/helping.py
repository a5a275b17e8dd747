"""The verb `help`: only what the asker may run, made from the verbs and actions themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from commands.permitting import allowed
from commands.verb import Args, Call, Outcome, Permission, Verb
from core.apply.action import Action
from core.approvals.proposal import visible
from core.errors import NotFound
from core.store.tx import Tx


class HelpArgs(Args):
    """About which verb or action; none for all."""

    verb: str | None = Field(default=None, max_length=64)


def usage_of(action: Action) -> str:
    """How an action is typed."""
    words = [f"<{param.name}>" if param.required else f"[{param.name}=…]" for param in action.params]
    return " ".join([action.name, *words, "[because <reason>]"])


def _described(action: Action) -> dict[str, Any]:
    """What a program must know to ask for an action."""
    return {
        "name": action.name,
        "title": action.title,
        "description": action.description,
        "params": [
            {
                "name": param.name,
                "type": param.type,
                "required": param.required,
                "description": param.description,
                "pattern": param.pattern,
                "enum": list(param.enum) if param.enum is not None else None,
                "default": param.default,
                "secret": param.secret,
            }
            for param in action.params
        ],
    }


def help_verb(verbs: Iterable[Verb]) -> Verb:
    """The verb `help` over these verbs and itself."""
    known = list(verbs)

    def run(tx: Tx, call: Call, args: HelpArgs, prepared: None) -> Outcome:
        typed = [verb for verb in [*known, mine] if not verb.structured and allowed(call.world, call.principal, verb)]
        actions = [each for each in call.world.actions.values() if visible(each, call.principal)]
        lines = [f"{usage_of(each)}\n    {each.description or each.title}" for each in actions]
        lines += [f"{verb.usage}\n    {verb.summary}" for verb in sorted(typed, key=lambda each: each.name)]
        if args.verb is not None:
            lines = [line for line in lines if line.split()[0] == args.verb]
            if not lines:
                raise NotFound(
                    "unknown_command", f"there is no {args.verb!r} that you may use; `help` lists what there is"
                )
        data = {"items": [line.split("\n    ") for line in lines], "actions": [_described(each) for each in actions]}
        return Outcome(text="\n".join(lines), data=data)

    mine = Verb(
        name="help",
        args=HelpArgs,
        run=run,
        permission=Permission.KNOWN,
        positional=("verb",),
        usage="help [verb]",
        summary="What you may ask for.",
    )
    return mine
