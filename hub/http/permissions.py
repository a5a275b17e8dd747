"""What a route asks of its caller. Every route states one of these, or the hub does not start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from commands.permitting import demand_may
from commands.registry import Registry
from commands.verb import Call
from core.errors import Forbidden
from core.people.directory import Kind

_ATTRIBUTE = "interlock_permission"

E = TypeVar("E", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One rule. `name` is the right or the verb that it is about."""

    kind: Literal["open", "self", "known", "member", "right", "verb"]
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind

    @property
    def needs_caller(self) -> bool:
        """Whether somebody must have proved who they are before the route is entered."""
        return self.kind not in ("open", "self")

    def demand(self, call: Call, registry: Registry) -> None:
        """Nothing, when `call` may. Raises Forbidden."""
        match self.kind:
            case "right" if not call.world.rights.has(call.principal, self.name):
                raise Forbidden("not_allowed", f"{call.principal.id} may not do this; it needs the right {self.name}")
            case "member" if call.principal.kind is Kind.OPERATOR:
                raise Forbidden("not_allowed", "the operator of this machine neither requests nor decides")
            case "verb":
                verb = registry.find(self.name)
                if verb is None:
                    raise Forbidden("not_allowed", "nobody may do this here")
                demand_may(call, verb)
            case _:
                return


OPEN = Permission(kind="open")
"""Anybody: health, documents, the sign-in page."""
SELF_PROVING = Permission(kind="self")
"""The endpoint proves its sender by other means: a signature, a mailed token, a one-time ticket."""
KNOWN = Permission(kind="known")
"""Everybody who proved who they are, the operator too."""
MEMBER = Permission(kind="member")
"""Everybody of hub.yaml, but not the operator."""


def right(name: str) -> Permission:
    """Who has that right."""
    return Permission(kind="right", name=name)


def verb(name: str) -> Permission:
    """Who may use that verb."""
    return Permission(kind="verb", name=name)


def needs(permission: Permission) -> Callable[[E], E]:
    """State the permission of an endpoint."""

    def stated(endpoint: E) -> E:
        setattr(endpoint, _ATTRIBUTE, permission)
        return endpoint

    return stated


class HasEndpoint(Protocol):
    """A route that leads to an endpoint."""

    path: str
    endpoint: Any


def permission_of(endpoint: object) -> Permission | None:
    """What the endpoint states; None when it states nothing."""
    stated = getattr(endpoint, _ATTRIBUTE, None)
    return stated if isinstance(stated, Permission) else None
