"""Who exists: people, agents and services, their groups, owners and identities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What a principal is; only a person ever decides (P12)."""

    PERSON = "person"
    AGENT = "agent"
    SERVICE = "service"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who can act. `id` is the key in hub.yaml: opaque to the hub, and what the log names."""

    id: str
    kind: Kind
    name: str
    email: str | None = None
    os_user: str | None = None
    groups: frozenset[str] = frozenset()
    role: str = ""
    skills: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    """Of an agent, as its owner configured them: what it is for, and which work it may take."""
    most_open: int | None = None
    most_per_hour: int | None = None
    """An agent's own budget; None for that of all agents."""
    owners: frozenset[str] = frozenset()
    timezone: str | None = None
    prefer: tuple[str, ...] = ()
    digest_seconds: float = 0.0
    """Messages come to them together, once in that time, on channels that can; 0 for each at once."""
    identities: Mapping[str, str] = field(default_factory=dict)
    """Channel's configured name or adapter -> the identity there, as hub.yaml gives it."""


OPERATOR = Principal(id="operator", kind=Kind.OPERATOR, name="Operator of this machine")
"""The data directory's owner on the control socket: administers, neither requests nor decides."""

HUB = Principal(id="hub", kind=Kind.SERVICE, name="Interlock")
"""The hub itself, as the actor of what time and recovery do."""


OIDC = "oidc"
"""The channel that identities at the OpenID provider are of; no configured channel has that name."""


def subject_at(issuer: str, subject: str) -> str:
    """A subject as an identity: it means somebody only together with its issuer, which holds no `#`."""
    return f"{issuer}#{subject}"


class Directory:
    """Everybody of one configuration; immutable after construction.

    `linked` are accounts that people bound to themselves, (channel, identity) -> principal; what the configuration
    says goes before it. `empty` says why a group counts as empty although its source may have members.
    """

    def __init__(
        self,
        principals: Mapping[str, Principal],
        *,
        linked: Mapping[tuple[str, str], str] = MappingProxyType({}),
        empty: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._by_id = dict(principals)
        self._linked = dict(linked)
        self.empty = dict(empty)
        members: dict[str, set[str]] = {}
        self._identities: dict[tuple[str, str], list[Principal]] = {}
        for principal in self._by_id.values():
            for group in principal.groups:
                members.setdefault(group, set()).add(principal.id)
            for each in principal.identities.items():
                self._identities.setdefault(each, []).append(principal)
        self._members = {group: frozenset(ids) for group, ids in members.items()}

    def __iter__(self) -> Iterator[Principal]:
        return iter(self._by_id.values())

    def find(self, principal_id: str) -> Principal | None:
        """The principal of that id, or None when this configuration has none."""
        return self._by_id.get(principal_id)

    def members(self, group: str) -> frozenset[str]:
        """Ids of everybody in `group`; empty for an unknown one (an empty group approves nothing)."""
        return self._members.get(group, frozenset())

    @property
    def groups(self) -> frozenset[str]:
        """Every group that somebody is in."""
        return frozenset(self._members)

    def by_os_user(self, user: str) -> Principal | None:
        """The one person with that `os_user`; None for none or several."""
        found = [p for p in self._by_id.values() if p.os_user == user]
        return found[0] if len(found) == 1 else None

    def by_email(self, email: str) -> Principal | None:
        """The one person with that address; None for none or several."""
        found = [p for p in self._by_id.values() if p.email is not None and p.email.lower() == email.lower()]
        return found[0] if len(found) == 1 else None

    def by_identity(self, channel: str, identity: str) -> Principal | None:
        """The one principal with that identity on `channel`; None for none or several."""
        found = self._identities.get((channel, identity))
        if found is not None:
            return found[0] if len(found) == 1 else None
        return self._by_id.get(self._linked.get((channel, identity), ""))

    def is_explicit(self, channel: str, identity: str) -> bool:
        """Whether the configuration itself says whose identity that is."""
        return (channel, identity) in self._identities and (channel, identity) not in self._linked

    def is_linked(self, channel: str, identity: str) -> bool:
        """Whether its person bound that identity to themselves."""
        return (channel, identity) in self._linked

    def identities_of(self, principal: Principal, channel: str) -> list[str]:
        """Every identity of a principal on `channel`, the configuration's first."""
        given = principal.identities.get(channel)
        linked = [each for (where, each), whose in self._linked.items() if (where, whose) == (channel, principal.id)]
        return list(dict.fromkeys([*([given] if given is not None else []), *linked]))
