"""What channels and people themselves tell about who is who, laid over what hub.yaml says.

* A channel's bare identities (`U024BE7LH`) belong to the one realm that its token was first seen in.
* Accounts that people linked are theirs, unless hub.yaml says otherwise.
* A group that a channel tells (`from: slack:S0123`) has the members that were told last, as long as that is fresh.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from core.audit.canonical import canonical
from core.clock import SECOND
from core.people.directory import Directory, Kind, Principal
from core.people.linking import Linked, links
from core.people.told import Told, realms, told_groups
from core.store.rows import Reader
from core.world import World

FRESH_SECONDS = 900.0
"""How long a group's members stand when its channel cannot be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """What is known beside the configuration."""

    realms: Mapping[str, str] = field(default_factory=dict)
    """Channel -> the realm of its bare identities."""
    links: tuple[Linked, ...] = ()
    groups: Mapping[str, Told] = field(default_factory=dict)
    """Source (`slack:S0123`) -> who was told to be in it."""


def read_roster(reader: Reader) -> Roster:
    """The roster as it is stored."""
    return Roster(realms=realms(reader), links=tuple(links(reader)), groups=told_groups(reader))


def with_roster(world: World, roster: Roster, now_us: int) -> World:
    """The configuration with the roster laid over it. Its digest changes only with who may decide."""
    pinned = {each.id: _pinned(each, roster.realms) for each in world.people}
    people = Directory(pinned)
    linked = {
        (each.channel, each.identity): each.principal
        for each in roster.links
        if people.find(each.principal) is not None and not people.is_explicit(each.channel, each.identity)
    }
    known = Directory(pinned, linked=linked)
    members: dict[str, frozenset[str]] = {}
    empty: dict[str, str] = {}
    until: list[int] = []
    for group, source in world.groups_from.items():
        told = roster.groups.get(source)
        why = _stale(source, told, now_us)
        if told is None or why is not None:
            empty[group] = why or ""
            continue
        until.append(told.at + int(FRESH_SECONDS * SECOND))
        members[group] = _principals(known, source.partition(":")[0], told.members)
    everybody = {each.id: _reached(_joined(each, members), linked) for each in known}
    return replace(
        world,
        people=Directory(everybody, linked=linked, empty=empty),
        digest=_digest(world, roster, members),
        groups_until=min(until, default=None),
    )


def _pinned(principal: Principal, realms: Mapping[str, str]) -> Principal:
    """With bare identities made whole, by the realm that their channel was first seen in."""
    bare = {channel: each for channel, each in principal.identities.items() if channel in realms and "/" not in each}
    if not bare:
        return principal
    whole = {channel: f"{realms[channel]}/{each}" for channel, each in bare.items()}
    return replace(principal, identities={**principal.identities, **whole})


def _joined(principal: Principal, members: Mapping[str, frozenset[str]]) -> Principal:
    groups = {group for group, ids in members.items() if principal.id in ids}
    return replace(principal, groups=principal.groups | groups) if groups else principal


def _reached(principal: Principal, linked: Mapping[tuple[str, str], str]) -> Principal:
    """Reached at the first account that they linked on each channel where hub.yaml names none."""
    own: dict[str, str] = {}
    for (channel, identity), whose in linked.items():
        if whose == principal.id:
            own.setdefault(channel, identity)
    return replace(principal, identities={**own, **principal.identities}) if own else principal


def _principals(people: Directory, channel: str, identities: Iterable[str]) -> frozenset[str]:
    """Whoever of these the hub knows; only people are in such a group."""
    known = (people.by_identity(channel, each) for each in identities)
    return frozenset(each.id for each in known if each is not None and each.kind is Kind.PERSON)


def _stale(source: str, told: Told | None, now_us: int) -> str | None:
    """Why nobody counts as a member; None while the members are fresh."""
    if told is None:
        return f"{source} has not been read yet"
    minutes = (now_us - told.at) // (60 * SECOND)
    if now_us < told.at + int(FRESH_SECONDS * SECOND):
        return None
    return f"{source} was read {minutes} minutes ago and not since: {told.problem or 'nobody answered'}"


def _digest(world: World, roster: Roster, members: Mapping[str, frozenset[str]]) -> str:
    """The configuration's own digest where the roster adds nothing to who may decide."""
    realms = {channel: realm for channel, realm in roster.realms.items() if channel in world.channels}
    groups = {group: sorted(ids) for group, ids in members.items()}
    if not world.groups_from:
        return world.digest
    return hashlib.sha256(canonical({"config": world.digest, "groups": groups, "realms": realms})).hexdigest()
