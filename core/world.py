"""The configuration in force, as one immutable value that every decision can name by version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from core.apply.action import Action
from core.people.directory import Directory
from core.people.rights import Rights
from core.policy.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much anybody may ask: a token bucket per principal, and budgets for agents."""

    commands_per_second: float = 20.0
    burst: int = 60
    agents_open: int = 20
    agents_per_hour: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """An inbound webhook: how its sender proves itself, whom it acts as, and what it asks for."""

    name: str
    verify: str
    """`standard-webhooks`, `github` or `bearer`."""
    principal: str
    secrets: tuple[str, ...] = ()
    """Resolved shared secrets, two while one rotates; never logged. Empty for bearer."""
    action: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    """Parameter -> CEL expression over `body` and `headers`."""
    reason: str | None = None
    triggers: tuple[str, ...] = ()
    """The triggers that its messages are for; such a hook asks for nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What an event of the log, or a message to a hook, makes an agent or a service ask for."""

    name: str
    on: frozenset[str]
    """Names of events, or `hook:name`."""
    when: str | None
    """CEL; None matches each of them."""
    principal: str
    action: str
    params: Mapping[str, str] = field(default_factory=dict)
    """Parameter -> CEL expression."""
    reason: str | None = None
    enabled: bool = True
    most: int = 60
    """How often it may act within `window_seconds`."""
    window_seconds: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The OpenID provider whose word signs people in."""

    name: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    """Resolved; never logged."""
    match_email: bool = False
    """Whether an address that it has verified names its person, where nothing else does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One configured channel: which adapter serves it and with which settings."""

    name: str
    adapter: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """As configured, secrets resolved; never logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long what may be forgotten is kept, in seconds. The log is never pruned."""

    output_seconds: float = 90 * 86_400.0
    mail_seconds: float = 30 * 86_400.0
    sessions_seconds: float = 30 * 86_400.0
    once_seconds: float = 30 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeWindow:
    """A freeze of hub.yaml: repeated (`cron` and `seconds`) or once (`begin` and `until`, aware)."""

    name: str
    resources: tuple[str, ...]
    reason: str
    timezone: str
    cron: str | None = None
    seconds: float = 0.0
    begin: datetime | None = None
    until: datetime | None = None
    where: str = "hub.yaml"
    """Where it stands: `hub.yaml:31, freezes[0]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One configuration. `version` is 0 until the hub has published it; `digest` names its content (hex SHA-256)."""

    version: int = 0
    digest: str
    root: Path
    """hub.yaml's folder: relative paths of commands and files resolve against it."""
    public_url: str
    timezone: str = "UTC"
    trusted_proxies: tuple[str, ...] = ()
    people: Directory
    rights: Rights
    limits: Limits = Limits()
    actions: Mapping[str, Action] = field(default_factory=dict)
    policies: tuple[Policy, ...] = ()
    channels: Mapping[str, Channel] = field(default_factory=dict)
    provider: Provider | None = None
    hooks: Mapping[str, Hook] = field(default_factory=dict)
    groups_from: Mapping[str, str] = field(default_factory=dict)
    """Group -> where its members are read from (`slack:S0123`)."""
    groups_until: int | None = None
    """Until when the members of such groups stand, in the store's microseconds; None where there are none."""
    triggers: Mapping[str, Trigger] = field(default_factory=dict)
    freezes: tuple[FreezeWindow, ...] = ()
    break_needs: str | None = None
    """The action of which somebody must have a completed request before they break a lease; None for nothing."""
    anchors: tuple[str, ...] = ()
    keep: Keep = Keep()
