"""The world that a valid hub.yaml describes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from config import action_schema, policy_schema, schema
from config.scalars import per, per_second
from config.secrets import Secrets
from config.source import Source
from core.apply.action import Action, AgentSpec, CommandSpec, HttpSpec, Operation, Preview
from core.apply.params import plain_number
from core.audit.canonical import canonical
from core.people.assurance import Assurance
from core.people.directory import OIDC, Directory, Kind, Principal, subject_at
from core.people.rights import Rights
from core.policy.policy import BreakGlass, Escalation, GrantBounds, Hours, Policy, Requirement
from core.world import Channel, FreezeWindow, Hook, Keep, Limits, Provider, Trigger, World

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def build(hub: schema.Hub, source: Source, secrets: Secrets) -> World:
    """The world of `hub`, which was read from `source`.

    Raises Unavailable (`missing_secret`) for a channel, hook, provider or anchor whose secret is missing.
    """
    return World(
        digest=digest(hub),
        root=source.root,
        public_url=hub.public_url or "",
        timezone=hub.timezone,
        trusted_proxies=tuple(hub.trusted_proxies),
        people=directory(hub),
        rights=Rights({right: frozenset(groups) for right, groups in hub.rights.items()}),
        limits=Limits(
            commands_per_second=per_second(hub.limits.commands),
            burst=hub.limits.burst,
            agents_open=hub.limits.agents.open,
            agents_per_hour=hub.limits.agents.per_hour,
        ),
        actions={name: action(name, each) for name, each in hub.actions.items()},
        policies=tuple(policy(each, hub.timezone) for each in hub.policies),
        provider=_provider(hub.sign_in.oidc, secrets),
        channels={name: _channel(name, each, secrets) for name, each in hub.channels.items()},
        hooks={name: _hook(name, each, secrets, _of_hook(hub, name)) for name, each in hub.hooks.items()},
        triggers={name: trigger(name, each) for name, each in hub.triggers.items()},
        groups_from={name: each.source for name, each in hub.groups.items()},
        freezes=tuple(freeze(each, hub.timezone, source.named(("freezes", at))) for at, each in enumerate(hub.freezes)),
        break_needs=hub.leases.break_needs,
        anchors=tuple(secrets.resolve(each) for each in hub.audit.anchors or ()),
        keep=Keep(
            output_seconds=hub.keep.output / 1000,
            mail_seconds=hub.keep.mail / 1000,
            sessions_seconds=hub.keep.sessions / 1000,
        ),
    )


def digest(hub: schema.Hub) -> str:
    """Hex SHA-256 of what the configuration says, secrets by reference; how and where it is written does not matter."""
    content = _plain(hub.model_dump(by_alias=True, exclude_defaults=True, exclude={"include"}))
    content["actions"] = {name: action_canonical(name, each) for name, each in hub.actions.items()}
    return hashlib.sha256(canonical(content)).hexdigest()


def directory(hub: schema.Hub) -> Directory:
    """Everybody in it."""
    mail = [name for name, channel in hub.channels.items() if channel.adapter == "email"]
    slack = [name for name, channel in hub.channels.items() if channel.adapter == "slack"]
    issuer = hub.sign_in.oidc.issuer if hub.sign_in.oidc is not None else None
    everybody = {name: _person(name, each, mail, slack, issuer) for name, each in hub.people.items()}
    for name, agent in hub.agents.items():
        everybody[name] = Principal(
            id=name,
            kind=Kind.AGENT,
            name=agent.name or name,
            groups=frozenset(agent.groups),
            role=agent.role or "",
            skills=frozenset(agent.skills),
            labels=frozenset(agent.labels),
            most_open=agent.limits.open if agent.limits else None,
            most_per_hour=agent.limits.per_hour if agent.limits else None,
            owners=frozenset({agent.owner}),
        )
    for name, service in hub.services.items():
        everybody[name] = Principal(
            id=name,
            kind=Kind.SERVICE,
            name=service.name or name,
            groups=frozenset(service.groups),
            owners=frozenset(service.owners),
        )
    return Directory(everybody)


def action(name: str, given: action_schema.Action) -> Action:
    """The action as the engine runs it."""
    preview = given.preview
    return Action(
        name=name,
        title=given.title,
        description=given.description,
        params=tuple(param.declared(each) for each, param in given.params.items()),
        resources=tuple(given.resources),
        files=tuple(given.files),
        validate=tuple(_operation(each) for each in given.validation),
        preview=Preview(operation=_operation(preview), compare=preview.compare) if preview else None,
        apply=_apply(given.apply),
        rollback=_operation(given.rollback) if given.rollback else None,
        rollback_preview=_operation(given.rollback.preview) if given.rollback and given.rollback.preview else None,
        stash=_operation(given.stash) if given.stash else None,
        reviewers=_requirements(given.reviewers),
        start=given.start,
        visible_to=frozenset(given.visible_to),
        retry_safe=given.retry_safe,
        hold_seconds=(given.hold or 0) / 1000,
        on_unknown=given.on_unknown,
        canonical=action_canonical(name, given),
    )


def action_canonical(name: str, given: action_schema.Action) -> str:
    """The definition as canonical JSON: what differs from the defaults, parameters in their order, secrets by reference."""
    content = _dump(given)
    content["params"] = [{"name": each, **_dump(param)} for each, param in given.params.items()]
    return canonical({"name": name, **content}).decode()


def policy(given: policy_schema.Policy, timezone: str) -> Policy:
    """The policy as the engine counts it; `timezone` is the hub's."""
    return Policy(
        name=given.name,
        when=given.when,
        require=_requirements(given.require),
        allow=given.allow,
        distinct_people=given.distinct_people,
        min_assurance=Assurance.parse(given.min_assurance),
        confirm=given.confirm,
        review_seconds=given.review_expires / 1000,
        apply_seconds=given.apply_expires / 1000,
        delegation=given.delegation,
        rollback=given.rollback,
        reject=given.reject,
        veto=tuple(given.veto),
        remind_seconds=given.remind / 1000 if given.remind is not None else None,
        short_replies=given.short_replies,
        hours=_hours(given.hours, timezone) if given.hours is not None else None,
        break_glass=_break_glass(given.break_glass) if given.break_glass is not None else None,
        grants=GrantBounds(longest_seconds=given.grants.longest / 1000, times=given.grants.times),
        escalate=tuple(Escalation(after_seconds=each.after / 1000, to=each.to) for each in given.escalate),
        ask=tuple(given.ask),
        canonical=canonical(_dump(given)).decode(),
    )


def _requirements(given: Sequence[policy_schema.Requirement]) -> tuple[Requirement, ...]:
    return tuple(Requirement(group=each.group, person=each.person, count=each.count) for each in given)


def _break_glass(given: policy_schema.BreakGlass) -> BreakGlass:
    return BreakGlass(
        groups=tuple(given.groups),
        review_seconds=given.review_within / 1000,
        through_freeze=given.through_freeze,
    )


def _hours(given: policy_schema.Hours, timezone: str) -> Hours:
    return Hours(
        days=frozenset(_DAYS.index(day) for day in given.days),
        begin_minute=_minutes(given.begin),
        end_minute=_minutes(given.end),
        timezone=given.timezone or timezone,
    )


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


def freeze(given: schema.Freeze, timezone: str, where: str) -> FreezeWindow:
    """The freeze as the engine works it out; `timezone` is the hub's, `where` is where it stands."""
    zone = given.timezone or timezone
    return FreezeWindow(
        name=given.name,
        resources=tuple(given.resources),
        reason=given.reason,
        timezone=zone,
        cron=given.cron,
        seconds=(given.lasting or 0) / 1000,
        begin=_moment(given.begin, zone),
        until=_moment(given.until, zone),
        where=where,
    )


def _moment(text: str | None, zone: str) -> datetime | None:
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(zone))


def _person(
    name: str, person: schema.Person, mail: Iterable[str], slack: Iterable[str], issuer: str | None
) -> Principal:
    """`mail` are the channels on which their address is their identity, `slack` those on which their Slack account is.

    `issuer` is whose subject theirs is.
    """
    identities = dict(person.identities)
    if person.email:
        identities |= {channel: person.email.lower() for channel in mail}
    if person.slack:
        identities |= dict.fromkeys(("slack", *slack), person.slack)
    if person.oidc and issuer is not None:
        identities[OIDC] = subject_at(issuer, person.oidc)
    return Principal(
        id=name,
        kind=Kind.PERSON,
        name=person.name,
        email=person.email,
        os_user=person.os_user,
        groups=frozenset(person.groups),
        timezone=person.timezone,
        prefer=tuple(person.prefer),
        digest_seconds=(person.digest or 0) / 1000,
        identities=identities,
    )


def _apply(given: action_schema.ApplyOperation) -> Operation | AgentSpec:
    if given.agent is None:
        return _operation(given)
    return AgentSpec(
        labels=tuple(sorted(set(given.agent.labels))),
        timeout_seconds=(given.timeout or 3_600_000) / 1000,
        heartbeat_seconds=given.agent.heartbeat / 1000,
        priority=given.agent.priority,
        tries=given.agent.tries,
    )


def _operation(given: action_schema.Operation) -> Operation:
    http = given.http
    if http is not None:
        return HttpSpec(
            method=http.method,
            url=http.url,
            headers=dict(http.headers),
            body=_plain(http.body),
            timeout_seconds=(given.timeout or 60_000) / 1000,
            allow_private=http.allow_private,
        )
    return CommandSpec(
        argv=tuple(given.command or ()),
        timeout_seconds=(given.timeout or 300_000) / 1000,
        env=dict(given.env),
        secrets=given.secrets,
        run_as=given.run_as,
        cwd=given.cwd,
    )


def _provider(given: schema.OpenId | None, secrets: Secrets) -> Provider | None:
    if given is None:
        return None
    return Provider(
        name=given.name,
        issuer=given.issuer,
        client_id=given.client_id,
        client_secret=secrets.resolve(given.client_secret),
        match_email=given.match_email,
    )


def _channel(name: str, given: schema.Channel, secrets: Secrets) -> Channel:
    return Channel(name=name, adapter=given.adapter, settings=_resolved(given.model_extra or {}, secrets))


def trigger(name: str, given: schema.Trigger) -> Trigger:
    """The trigger as the hub serves it."""
    most, window_seconds = per(given.limit)
    return Trigger(
        name=name,
        on=frozenset(given.on),
        when=given.when,
        principal=given.principal,
        action=given.action,
        params=dict(given.params),
        reason=given.reason,
        enabled=given.enabled,
        most=most,
        window_seconds=window_seconds,
    )


def _of_hook(hub: schema.Hub, name: str) -> tuple[str, ...]:
    return tuple(each for each, trigger in hub.triggers.items() if f"hook:{name}" in trigger.on)


def _hook(name: str, given: schema.Hook, secrets: Secrets, triggers: tuple[str, ...]) -> Hook:
    return Hook(
        name=name,
        verify=given.verify,
        principal=given.principal,
        secrets=tuple(secrets.resolve(each) for each in given.secret),
        action=given.action,
        params=dict(given.params),
        reason=given.reason,
        triggers=triggers,
    )


def _resolved(value: Any, secrets: Secrets) -> Any:
    if isinstance(value, str):
        return secrets.resolve(value)
    if isinstance(value, Mapping):
        return {key: _resolved(each, secrets) for key, each in value.items()}
    return [_resolved(each, secrets) for each in value] if isinstance(value, list) else value


def _dump(model: BaseModel) -> dict[str, Any]:
    content: dict[str, Any] = _plain(model.model_dump(by_alias=True, exclude_defaults=True))
    return content


def _plain(value: Any) -> Any:
    """`value` without floats: a number with a fraction is its decimal text."""
    if isinstance(value, float):
        return plain_number(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
