"""Verbs of those who let others decide in their place: delegate, away, undelegate, delegations."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from commands.verb import Args, Call, Outcome, Permission, Verb
from core import ids
from core.approvals.delegation import (
    Delegation,
    delegate,
    delegation_json,
    in_force,
    leave,
    revoke,
    revoke_given,
)
from core.errors import Invalid
from core.leases.terms import LEASE_LOCKS
from core.moments import parse_moment, show_moment, zone_of
from core.people.directory import Kind
from core.store.tx import Tx
from core.world import World

_USAGE = "delegate to @<person> until <when> [for <actions>] [when @<person> approves]"
_FILLING = frozenset({"approves", "approve", "and"})


class DelegateArgs(Args):
    """To whom, until when, for which actions, and on whose approval."""

    to: str | None = Field(default=None, max_length=64)
    until: str = Field(max_length=64)
    actions: list[str] = Field(default=[], max_length=50)
    when: str | None = Field(default=None, max_length=64)
    more: list[str] = Field(default=[], max_length=60)
    """Words after `for` and `when`: further actions, and `approves`."""

    @field_validator("actions", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [each for each in value.split(",") if each] if isinstance(value, str) else value


class AwayArgs(Args):
    """Until when."""

    until: str = Field(max_length=64)


class UndelegateArgs(Args):
    """Which: ids like D5, or people; none for all that one has given."""

    which: list[str] = Field(default=[], max_length=50)


class DelegationsArgs(Args):
    """Mine (given and received), or all."""

    which: Literal["mine", "all"] = "mine"


def _delegate(tx: Tx, call: Call, args: DelegateArgs, prepared: None) -> Outcome:
    when = _person(call.world, args.when) if args.when is not None else None
    to = _person(call.world, args.to) if args.to is not None else when
    if to is None:
        raise Invalid("usage", f"say to whom; type it as: {_USAGE}")
    made = delegate(
        tx,
        call.world,
        by=call.principal,
        to=to,
        until=_moment(tx, call, args.until),
        actions=_actions(args),
        when=when,
        channel=call.channel,
        assurance=call.assurance,
    )
    text = f"{made.name}: {_said(call, made)}"
    absent = next((each for each in in_force(tx) if each.kind == "away" and each.delegator == to), None)
    if absent is not None:
        text += f". {to} is away until {show_moment(absent.until, zone_of(call.principal, call.world.timezone))}"
    return Outcome(text=text, data={"delegation": delegation_json(made)}, record=False)


def _actions(args: DelegateArgs) -> list[str]:
    """The actions that are named. Raises Invalid for words that belong nowhere."""
    more = [word for word in args.more if word.lower() not in _FILLING]
    if more and not args.actions:
        raise Invalid("usage", f"{more[0][:60]!r} does not belong here; type it as: {_USAGE}")
    return [*args.actions, *more]


def _away(tx: Tx, call: Call, args: AwayArgs, prepared: None) -> Outcome:
    made = leave(
        tx, by=call.principal, until=_moment(tx, call, args.until), channel=call.channel, assurance=call.assurance
    )
    lent = [each for each in in_force(tx) if each.delegator == call.principal.id and each.kind == "delegate"]
    until = show_moment(made.until, zone_of(call.principal, call.world.timezone))
    text = f"{made.name}: you are away until {until} and are not asked."
    if lent:
        text += f" Asked for you: {', '.join(_scope(call, each) for each in lent)}."
    else:
        text += " Nobody is asked for you: you have no delegate; `delegate to @<person> until <when>` names one."
    return Outcome(text=text, data={"delegation": delegation_json(made)}, record=False)


def _undelegate(tx: Tx, call: Call, args: UndelegateArgs, prepared: None) -> Outcome:
    ended: list[Delegation] = []
    for name in args.which:
        if name.lstrip("@").lower() == "away":
            ended += revoke_given(tx, by=call.principal, to=call.principal.id, channel=call.channel)
        elif name[:1] in "Dd" and name[1:].isdigit():
            ended += revoke(tx, [ids.parse("D", name)], by=call.principal, channel=call.channel)
        else:
            ended += revoke_given(tx, by=call.principal, to=_person(call.world, name), channel=call.channel)
    if not args.which:
        ended = revoke_given(tx, by=call.principal, to=None, channel=call.channel)
    lines = [f"{each.name} has ended: {_said(call, each)}" for each in ended]
    return Outcome(text="\n".join(lines), data={"ended": [each.name for each in ended]}, record=False)


def _delegations(tx: Tx, call: Call, args: DelegationsArgs, prepared: None) -> Outcome:
    found = [
        each for each in in_force(tx) if args.which == "all" or call.principal.id in (each.delegator, each.delegate)
    ]
    lines = [f"{each.name}: {_said(call, each)}" for each in found]
    return Outcome(
        text="\n".join(lines) or "There are no delegations.", data={"items": [delegation_json(each) for each in found]}
    )


def _moment(tx: Tx, call: Call, said: str) -> int:
    return parse_moment(said, now_us=tx.now_us, zone=zone_of(call.principal, call.world.timezone))


def _said(call: Call, each: Delegation) -> str:
    """A delegation in words, with the absolute time in the asker's zone."""
    until = show_moment(each.until, zone_of(call.principal, call.world.timezone))
    if not each.lends:
        return f"{each.delegator} is away until {until}"
    verb = "decides" if each.condition is None else "approves"
    condition = ""
    if each.condition is not None:
        condition = ", with their own approval" if each.condition == each.delegate else f", once {each.condition} has"
    actions = f" on {', '.join(each.actions)}" if each.actions is not None else ""
    return f"{each.delegate} {verb} for {each.delegator}{actions}{condition}, until {until}"


def _scope(call: Call, each: Delegation) -> str:
    actions = f" on {', '.join(each.actions)}" if each.actions is not None else ""
    return f"{each.delegate}{actions} until {show_moment(each.until, zone_of(call.principal, call.world.timezone))}"


def _person(world: World, said: str) -> str:
    """The id of the person who is meant: by id, with or without @, or by their whole name when only one bears it."""
    name = said.strip().removeprefix("@")
    if world.people.find(name) is not None:
        return name
    found = [each.id for each in world.people if each.kind is Kind.PERSON and each.name.lower() == name.lower()]
    if len(found) != 1:
        raise Invalid("unknown_person", f"there is nobody called {name[:60]!r} here")
    return found[0]


VERBS = (
    Verb(
        name="delegate",
        args=DelegateArgs,
        run=_delegate,
        permission=Permission.DECIDE,
        rest="more",
        clauses={"to": "to", "until": "until", "for": "actions", "when": "when"},
        locks=LEASE_LOCKS,
        usage=_USAGE,
        summary="Let somebody decide in your place for a while.",
    ),
    Verb(
        name="away",
        args=AwayArgs,
        run=_away,
        permission=Permission.DECIDE,
        clauses={"until": "until"},
        locks=LEASE_LOCKS,
        usage="away until <when>",
        summary="Not be asked; your delegate is asked for you.",
    ),
    Verb(
        name="undelegate",
        args=UndelegateArgs,
        run=_undelegate,
        permission=Permission.DECIDE,
        rest="which",
        urgent=True,
        locks=LEASE_LOCKS,
        usage="undelegate [<ids or people…>|away]",
        summary="End delegations that you gave or got, at once.",
    ),
    Verb(
        name="delegations",
        args=DelegationsArgs,
        run=_delegations,
        permission=Permission.READ,
        positional=("which",),
        usage="delegations [mine|all]",
        summary="Who decides for whom, and until when.",
    ),
)
