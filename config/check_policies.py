"""What policies say: conditions that can always be evaluated, seats that somebody can fill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice, product

from config.build import directory
from config.build import policy as built
from config.problem import Path, Problem
from config.schema import Hub
from config.source import Source
from core.apply.action import Action, Param
from core.apply.params import check_value
from core.apply.template import render
from core.errors import Invalid
from core.people.assurance import Assurance
from core.people.directory import Directory, Kind, Principal
from core.policy.ballot import Ballot
from core.policy.context import NAMES, Context
from core.policy.counting import barred_by, could_satisfy
from core.policy.expression import Expression, ExpressionFailed
from core.policy.policy import Policy

MAX_SAMPLES = 256
"""Combinations of parameter values that a condition is tried with, for each action."""

_MOMENT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def check_policies(hub: Hub, source: Source, actions: Mapping[str, Action]) -> Iterator[tuple[bool, Problem]]:
    """Every problem with policies, and whether it is only a warning."""
    names: dict[str, int] = {}
    for at, policy in enumerate(hub.policies):
        path: Path = ("policies", at)
        if names.setdefault(policy.name, at) != at:
            yield False, source.problem((*path, "name"), f"there are two policies named {policy.name}", "rename one")
        if policy.when is None and at < len(hub.policies) - 1:
            yield (
                False,
                source.problem(path, f"{policy.name} has no when, so none after it is ever in force", "put it last"),
            )
        yield from _rejecting(hub, source, at)
        if policy.when is not None:
            yield from _condition(hub, source, (*path, "when"), policy.when, actions)
    yield from _satisfiable(hub, source)
    yield from _reviewers(hub, source, actions)
    if not hub.policies:
        yield True, source.problem(("policies",), "there is no policy: every request is refused", "add one")
    elif hub.policies[-1].when is not None:
        last: Path = ("policies", len(hub.policies) - 1)
        yield True, source.problem(last, "a request that no when covers is refused", "add a last policy without when")
    for name, hook in hub.hooks.items():
        texts = {("params", param): text for param, text in hook.params.items()}
        if hook.reason is not None:
            texts[("reason", "")] = hook.reason
        for (key, param), text in texts.items():
            where: Path = ("hooks", name, key, param) if param else ("hooks", name, key)
            yield from _names(source, where, text, {"body", "headers"})


def _satisfiable(hub: Hub, source: Source) -> Iterator[tuple[bool, Problem]]:
    """Policies that nobody's request, or not everybody's, could satisfy."""
    people = _at_most(hub)
    if not list(people):
        return
    for at, given in enumerate(hub.policies):
        policy = built(given, hub.timezone)
        failing = {
            each.id: verdict.reason
            for each in people
            if not (verdict := could_satisfy(policy, people, barred_by(each.id, each.owners, people))).possible
        }
        path: Path = ("policies", at, "require")
        if len(failing) == len(list(people)):
            always = could_satisfy(policy, people, frozenset()).reason
            reason = always or next(iter(failing.values()))
            yield False, source.problem(path, f"whoever asks, {reason}", "add people, or lower the counts")
        elif failing:
            who = ", ".join(sorted(failing))
            yield True, source.problem(path, f"too few others can decide on what these ask for: {who}")


def _at_most(hub: Hub) -> Directory:
    """Everybody, with every person in each group that a channel tells: who is really in it is known to that channel."""
    told = frozenset(hub.groups)
    return Directory(
        {
            each.id: replace(each, groups=each.groups | told) if each.kind is Kind.PERSON else each
            for each in directory(hub)
        }
    )


def _rejecting(hub: Hub, source: Source, at: int) -> Iterator[tuple[bool, Problem]]:
    """A threshold that nobody reaches, and veto groups in which there is no person."""
    policy, people = built(hub.policies[at], hub.timezone), _at_most(hub)
    ballot = Ballot(policy, people, frozenset())
    most = sum(ballot.eligible(each.id) for each in people)
    if policy.reject > 1 and policy.reject > most:
        message = f"{policy.reject} must reject and only {most} could; that is never reached"
        yield False, source.problem(("policies", at, "reject"), message, f"write {max(most, 1)} or less")
    for place, group in enumerate(policy.veto):
        members = [people.find(each) for each in people.members(group)]
        if members and not any(each is not None and each.kind is Kind.PERSON for each in members):
            where: Path = ("policies", at, "veto", place)
            yield False, source.problem(where, f"nobody in {group} is a person", "only people decide; name another")


def _reviewers(hub: Hub, source: Source, actions: Mapping[str, Action]) -> Iterator[tuple[bool, Problem]]:
    """Reviewers of an action who could never all agree, whatever the policy."""
    people = _at_most(hub)
    for name, action in actions.items():
        alone = Policy(name=f"the reviewers of {name}", require=action.reviewers)
        if action.reviewers and list(people) and not (verdict := could_satisfy(alone, people, frozenset())).possible:
            yield False, source.problem(("actions", name, "reviewers"), verdict.reason, "add people, or ask for fewer")


def _names(source: Source, path: Path, text: str, names: Iterable[str]) -> Iterator[tuple[bool, Problem]]:
    try:
        Expression.compile(text, frozenset(names))
    except Invalid as refusal:
        yield False, source.problem(path, refusal.message)


def _condition(
    hub: Hub, source: Source, path: Path, when: str, actions: Mapping[str, Action]
) -> Iterator[tuple[bool, Problem]]:
    """Names that do not exist, then one problem for each action on which the condition fails."""
    unknown = list(_names(source, path, when, NAMES))
    yield from unknown
    if unknown:
        return
    expression = Expression.compile(when, NAMES)
    for action in actions.values():
        for context in _contexts(hub, action):
            try:
                expression.holds(context.variables())
            except ExpressionFailed as failure:
                certain = isinstance(failure.__cause__, KeyError | TypeError) or failure.__cause__ is None
                shown = ", ".join(f"{name}={value}" for name, value in context.params.items()) or "no parameters"
                message = f"fails for {action.name} with {shown}: {failure.message}"
                remedy = 'begin with action == "…" &&, or has(params.…) &&'
                yield not certain, source.problem(path, message, remedy)
                break


def _contexts(hub: Hub, action: Action) -> Iterator[Context]:
    """Requests for `action`: every choice of its parameters, optional ones with and without, by each kind of principal."""
    shown = [param for param in action.params if not param.secret]
    choices = [[*([] if param.required or param.default is not None else [None]), *samples(param)] for param in shown]
    for values in islice(product(*choices), MAX_SAMPLES):
        given = {param.name: value for param, value in zip(shown, values, strict=True) if value is not None}
        for requester in _requesters(hub):
            yield Context.of(
                action,
                given,
                requester=requester,
                channel="http",
                assurance=Assurance.CHAT,
                resources=tuple(render(resource, given) for resource in action.resources),
                now=_MOMENT,
            )


def _requesters(hub: Hub) -> list[Principal]:
    """One of each kind."""
    first: dict[Kind, Principal] = {}
    for each in directory(hub):
        first.setdefault(each.kind, each)
    return list(first.values()) or [Principal(id="somebody", kind=Kind.PERSON, name="Somebody")]


def samples(param: Param) -> list[str | int | bool]:
    """Values that stand for all that `param` takes: its choices, else its default, else one of its type."""
    if param.enum is not None:
        return [check_value(param, choice) for choice in param.enum]
    if param.default is not None:
        return [check_value(param, param.default)]
    match param.type:
        case "boolean":
            return [False, True]
        case "string":
            return ["sample"]
    least = param.minimum if param.minimum is not None else param.maximum if param.maximum is not None else 1
    return [int(least)] if param.type == "integer" else [str(least)]
