"""Who is named in hub.yaml: everybody once, and nobody who does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from config.build import directory
from config.policy_schema import Requirement
from config.problem import Path, Problem
from config.schema import Hub
from config.source import Source


def check_people(hub: Hub, source: Source) -> Iterator[Problem]:
    """Problems with names, identities, owners and groups."""
    yield from _once(hub, source)
    yield from _owners(hub, source)
    yield from _groups(hub, source)
    yield from _told(hub, source)
    yield from _bare(hub, source)
    for name, hook in hub.hooks.items():
        if hook.principal not in {*hub.agents, *hub.services}:
            why = "is a person; a hook never acts as one" if hook.principal in hub.people else "is nobody here"
            yield source.problem(("hooks", name, "as"), f"{hook.principal} {why}", "name an agent or a service")
    for name, person in hub.people.items():
        for at, channel in enumerate(person.prefer):
            if channel not in {*hub.channels, "page"}:
                yield source.problem(
                    ("people", name, "prefer", at),
                    f"there is no channel {channel}",
                    "add it under channels, or take it out",
                )
        if person.os_user in ("root", "0"):
            yield source.problem(("people", name, "os_user"), "root cannot be a person", "use a login of their own")


def _once(hub: Hub, source: Source) -> Iterator[Problem]:
    """Names and identities that two have."""
    taken: dict[tuple[str, str], Path] = {}
    for section, names in (("people", hub.people), ("agents", hub.agents), ("services", hub.services)):
        for name in names:
            yield from _claim(source, taken, ("name", name.casefold()), (section, name))
    for name, person in hub.people.items():
        own = {"email": person.email, "os_user": person.os_user, "slack": person.slack, "oidc": person.oidc}
        own |= person.identities
        for kind, value in own.items():
            path: Path = ("people", name, "identities", kind) if kind in person.identities else ("people", name, kind)
            if value is not None:
                yield from _claim(source, taken, (kind, value.casefold() if kind == "email" else value), path)


def _claim(source: Source, taken: dict[tuple[str, str], Path], key: tuple[str, str], path: Path) -> Iterator[Problem]:
    first = taken.setdefault(key, path)
    if first != path:
        file, line = source.place(first)
        yield source.problem(path, f"{key[1]} is given twice, first at {file}:{line}", "each belongs to one")


def _owners(hub: Hub, source: Source) -> Iterator[Problem]:
    for name, agent in hub.agents.items():
        if agent.owner not in hub.people:
            yield source.problem(("agents", name, "owner"), f"{agent.owner} is no person here", _known(hub.people))
    for name, service in hub.services.items():
        for at, owner in enumerate(service.owners):
            if owner not in hub.people:
                yield source.problem(("services", name, "owners", at), f"{owner} is no person here", _known(hub.people))


def _groups(hub: Hub, source: Source) -> Iterator[Problem]:
    """Groups and people that are named and do not exist."""
    groups = directory(hub).groups | hub.groups.keys()
    named: list[tuple[Path, str]] = []
    for right, holders in hub.rights.items():
        named += [(("rights", right, at), group) for at, group in enumerate(holders)]
    seats: list[tuple[Path, Requirement]] = []
    for name, action in hub.actions.items():
        named += [(("actions", name, "visible_to", at), group) for at, group in enumerate(action.visible_to)]
        seats += [(("actions", name, "reviewers", at), wanted) for at, wanted in enumerate(action.reviewers)]
    for place, policy in enumerate(hub.policies):
        path: Path = ("policies", place)
        seats += [((*path, "require", at), wanted) for at, wanted in enumerate(policy.require)]
        named += [(("policies", place, "veto", at), group) for at, group in enumerate(policy.veto)]
        asked = [(at, wish.partition(":")[2]) for at, wish in enumerate(policy.ask)]
        named += [(("policies", place, "ask", at), address[1:]) for at, address in asked if address[:1] == "@"]
        if policy.break_glass is not None:
            glass = (*path, "break_glass", "groups")
            named += [((*glass, at), group) for at, group in enumerate(policy.break_glass.groups)]
        for at, step in enumerate(policy.escalate):
            if step.to not in groups and step.to not in hub.people:
                yield source.problem(
                    ("policies", place, "escalate", at, "to"), f"there is neither group nor person {step.to}"
                )
    for where, wanted in seats:
        if wanted.group is not None:
            named.append(((*where, "group"), wanted.group))
        elif wanted.person not in hub.people:
            yield source.problem((*where, "person"), f"{wanted.person} is no person here", _known(hub.people))
    for path, group in named:
        if group not in groups:
            yield source.problem(
                path, f"group {group} has no members", f"add it to somebody's groups; {_known(groups)}"
            )


def _told(hub: Hub, source: Source) -> Iterator[Problem]:
    """Groups that a channel shall tell and cannot, or that have members here as well."""
    for name, group in hub.groups.items():
        channel, _, given = group.source.partition(":")
        path: Path = ("groups", name, "from")
        if channel not in hub.channels:
            yield source.problem(path, f"there is no channel {channel}", _known(hub.channels))
        elif hub.channels[channel].adapter == "slack":
            several = "client_id" in (hub.channels[channel].model_extra or {})
            pattern, like = ("[TE][A-Z0-9]+/S[A-Z0-9]+", "T0123/S0123ABCD") if several else ("S[A-Z0-9]+", "S0123ABCD")
            if not re.fullmatch(pattern, given):
                yield source.problem(path, f"{given} is no user group of Slack", f"write its id, like {channel}:{like}")
        if name in directory(hub).groups:
            message = f"{name} has members in hub.yaml, and {group.source} shall tell them too"
            yield source.problem(("groups", name), message, "take it out of people's groups, or out of here")


def _bare(hub: Hub, source: Source) -> Iterator[Problem]:
    """Slack user ids without their workspace, where there is more than one that they could belong to."""
    slack = [each for each in hub.channels.values() if each.adapter == "slack"]
    installed = any("client_id" in (each.model_extra or {}) for each in slack)
    if len(slack) < 2 and not installed:
        return
    why = "the app can be installed in several workspaces" if installed else "there are several Slack channels"
    for name, person in hub.people.items():
        if person.slack is not None and "/" not in person.slack:
            message = f"{person.slack} means nothing without its workspace, because {why}"
            yield source.problem(("people", name, "slack"), message, f"write T0123/{person.slack}")


def _known(names: Iterable[str]) -> str:
    return f"there are {', '.join(sorted(names))}" if names else "there are none"
