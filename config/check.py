"""What no single value shows: whether the parts of hub.yaml fit each other and the machine."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from config.build import action, digest
from config.check_actions import check_actions, missing_programs
from config.check_freezes import check_freezes
from config.check_people import check_people
from config.check_policies import check_policies
from config.check_triggers import check_triggers
from config.problem import Problem
from config.schema import Hub
from config.source import Source
from core.errors import Invalid
from core.people.directory import OIDC
from core.people.rights import ADMIN


def check(hub: Hub, source: Source, adapters: Collection[str] | None = None) -> Iterator[tuple[bool, Problem]]:
    """Every problem of a document that fits the schema, and whether it is only a warning."""
    broken = list(_uncanonical(hub, source))
    yield from ((False, problem) for problem in broken)
    yield from ((False, problem) for problem in check_people(hub, source))
    unfit = list(check_actions(hub, source))
    yield from ((False, problem) for problem in unfit)
    yield from ((True, problem) for problem in missing_programs(hub, source))
    if not broken and not unfit:
        actions = {name: action(name, each) for name, each in hub.actions.items()}
        yield from check_policies(hub, source, actions)
        yield from check_triggers(hub, source, actions)
    yield from ((False, problem) for problem in _channels(hub, source, adapters))
    yield from ((False, problem) for problem in _sign_in(hub, source))
    yield from ((False, problem) for problem in check_freezes(hub, source))
    administered = any("admins" in person.groups for person in hub.people.values())
    if hub.people and not administered and ADMIN - hub.rights.keys():
        lacking = ", ".join(sorted(ADMIN - hub.rights.keys()))
        yield (
            True,
            source.problem(("people",), f"nobody is in admins, so nobody may {lacking}", "add admins to somebody"),
        )


def _uncanonical(hub: Hub, source: Source) -> Iterator[Problem]:
    """Values that a digest cannot bind."""
    try:
        digest(hub)
    except Invalid as refusal:
        yield source.problem((), refusal.message)


def _sign_in(hub: Hub, source: Source) -> Iterator[Problem]:
    if OIDC in hub.channels:
        yield source.problem(("channels", OIDC), f"{OIDC} is how people sign in", "give the channel another name")
    for name, person in hub.people.items():
        if OIDC in person.identities:
            yield source.problem(("people", name, "identities", OIDC), "is given by its subject alone", "write oidc: …")
        if person.oidc is not None and hub.sign_in.oidc is None:
            yield source.problem(("people", name, OIDC), "there is no provider to know it", "add sign_in: {oidc: …}")
    if hub.sign_in.oidc is not None and hub.public_url is None:
        yield source.problem(
            ("sign_in", "oidc"),
            "the provider sends people back, and public_url is missing",
            "add public_url: https://…",
        )


def _channels(hub: Hub, source: Source, adapters: Collection[str] | None) -> Iterator[Problem]:
    for name, channel in hub.channels.items():
        if adapters is not None and channel.adapter not in adapters:
            known = ", ".join(sorted(adapters)) or "none"
            yield source.problem(
                ("channels", name, "adapter"), f"there is no adapter {channel.adapter}", f"there are {known}"
            )
        url = (channel.model_extra or {}).get("url")
        if isinstance(url, str) and not url.startswith(("http://", "https://", "${")):
            yield source.problem(
                ("channels", name, "url"), f"{url!r} is no http or https URL", "write it like https://…"
            )
    if hub.channels and hub.public_url is None:
        yield source.problem(
            ("channels",), "channels send links, and public_url is missing", "add public_url: https://…"
        )
