"""What is asked for, worked out before any transaction: typed parameters, rendered commands, the policy in force."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

from core.apply.action import Action, AgentSpec, CommandSpec, Operation
from core.apply.params import Bound, bind
from core.apply.template import render, render_argv, render_http
from core.approvals.glass import demand_may_break
from core.approvals.rule import with_reviewers
from core.clock import from_us
from core.errors import Conflict, NotFound
from core.people.assurance import Assurance
from core.people.directory import Principal
from core.policy.ballot import Ballot
from core.policy.choose import choose
from core.policy.context import Context
from core.policy.counting import barred_by, could_satisfy
from core.policy.policy import Policy
from core.world import World

Seal = Callable[[str, str], bytes]
"""(context, value) -> the sealed value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A request that may be made; `secrets` are sealed. It is good for the configuration it was made under."""

    action: Action
    policy: Policy
    params: Mapping[str, Any]
    secrets: Mapping[str, bytes] = field(repr=False)
    title: str
    resources: tuple[str, ...]
    config_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An action with typed parameters, and the policy that was chosen for it."""

    action: Action
    bound: Bound
    resources: tuple[str, ...]
    policy: Policy


def visible(action: Action, principal: Principal) -> bool:
    """Whether `principal` may know of the action at all."""
    return not action.visible_to or bool(action.visible_to & principal.groups)


def propose(
    world: World,
    *,
    action: str,
    params: Mapping[str, Any],
    requester: Principal,
    channel: str,
    assurance: Assurance,
    now_us: int,
    seal: Seal,
    glass: bool = False,
) -> Proposal:
    """The proposal for a request; with `glass` one that runs at once.

    Raises NotFound `unknown_action`, Invalid for parameters (see core.apply.params), ExpressionFailed and
    Refusal `no_policy` from the policies, Conflict `unsatisfiable` when nobody could ever approve it; with `glass`
    what `core.approvals.glass.demand_may_break` raises.
    """
    wish = wished(
        world, action=action, params=params, requester=requester, channel=channel, assurance=assurance, now_us=now_us
    )
    bound, policy = wish.bound, wish.policy
    shown = {**bound.values, **dict.fromkeys(bound.secrets, "•••")}
    barred = barred_by(requester.id, requester.owners, world.people)
    if glass:
        demand_may_break(Ballot(policy, world.people, barred), requester, assurance)
    elif not (verdict := could_satisfy(policy, world.people, barred)).possible:
        raise Conflict("unsatisfiable", f"nobody could ever approve this: {verdict.reason}", policy=policy.name)
    return Proposal(
        action=wish.action,
        policy=policy,
        params=bound.values,
        secrets={name: seal(f"{action}|{name}", value) for name, value in bound.secrets.items()},
        title=render(wish.action.title, shown),
        resources=wish.resources,
        config_version=world.version,
    )


def wished(
    world: World,
    *,
    action: str,
    params: Mapping[str, Any],
    requester: Principal,
    channel: str,
    assurance: Assurance,
    now_us: int,
) -> Wish:
    """What is asked for and the policy that it falls under; nothing is said of whether anybody could approve it.

    Raises NotFound `unknown_action`, Invalid for parameters, ExpressionFailed and Refusal `no_policy`.
    """
    defined = world.actions.get(action)
    if defined is None or not visible(defined, requester):
        raise NotFound("unknown_action", f"there is no action {action[:60]!r}; `help` lists what you may ask for")
    bound = bind(defined, params)
    resources = tuple(render(template, bound.values) for template in defined.resources)
    context = Context.of(
        defined,
        bound.values,
        requester=requester,
        channel=channel,
        assurance=assurance,
        resources=resources,
        now=from_us(now_us).astimezone(ZoneInfo(world.timezone)),
    )
    policy = with_reviewers(choose(world.policies, context), defined)
    return Wish(action=defined, bound=bound, resources=resources, policy=policy)


def rendered(operation: Operation | AgentSpec, values: Mapping[str, Any]) -> Operation | AgentSpec:
    """`operation` with its placeholders filled in; references to secrets stay references."""
    if isinstance(operation, AgentSpec):
        return operation
    if isinstance(operation, CommandSpec):
        return replace(operation, argv=render_argv(operation.argv, values))
    call = render_http(operation, values)
    return replace(operation, url=call.url, headers=call.headers, body=call.body)


def described(operation: Operation | AgentSpec) -> dict[str, Any]:
    """A rendered operation as the digest binds it and screens show it."""
    if isinstance(operation, CommandSpec):
        return {"command": list(operation.argv)}
    if isinstance(operation, AgentSpec):
        return {"agent": {"labels": list(operation.labels)}}
    return {"http": {k: v for k, v in asdict(operation).items() if k in ("method", "url", "headers", "body")}}


def executables(action: Action, values: Mapping[str, Any]) -> list[str]:
    """The programs that the action's commands name, for the fingerprint."""
    operations = [*action.validate, action.apply]
    operations += [action.preview.operation] if action.preview else []
    operations += [each for each in (action.rollback, action.rollback_preview, action.stash) if each]
    return sorted({rendered(each, values).argv[0] for each in operations if isinstance(each, CommandSpec)})  # type: ignore[union-attr]


def bound_value(
    *,
    action: Action,
    policy: Policy,
    params: Mapping[str, Any],
    secrets: Mapping[str, bytes],
    resources: tuple[str, ...],
    requester: str,
    approval: str,
    revision: int,
    fingerprints: Mapping[str, str],
    preview: Mapping[str, Any] | None,
    rollback_preview: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that an approval of one revision is about; `core.approvals.digest.digest` names it."""
    commands = {"apply": described(rendered(action.apply, params))}
    if action.rollback:
        commands["rollback"] = described(rendered(action.rollback, params))
    if action.preview:
        commands["preview"] = described(rendered(action.preview.operation, params))
    if action.stash:
        commands["stash"] = described(rendered(action.stash, params))
    for index, operation in enumerate(action.validate):
        commands[f"validate.{index}"] = described(rendered(operation, params))
    return {
        "approval": approval,
        "revision": revision,
        "requester": requester,
        "action": action.name,
        "definition": action.canonical,
        "params": dict(params),
        "secrets": {name: hashlib.sha256(sealed).hexdigest() for name, sealed in secrets.items()},
        "commands": commands,
        "resources": list(resources),
        "files": dict(fingerprints),
        "preview": dict(preview) if preview is not None else None,
        **({"rollback_preview": dict(rollback_preview)} if rollback_preview is not None else {}),
        "policy": {"name": policy.name, "definition": policy.canonical, "chosen": True},
    }
