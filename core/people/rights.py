"""What somebody may do besides asking and deciding, by group."""

from __future__ import annotations

from collections.abc import Mapping

from core.people.directory import Kind, Principal

EVERYBODY = frozenset({"request", "lease", "read"})
"""Rights that everybody known has unless hub.yaml narrows them."""

ADMIN = frozenset({"resolve", "break", "stop", "freeze", "override", "keys", "channels", "audit"} | {"automation"})
"""Rights of the group `admins` unless hub.yaml names other groups."""

_OPERATOR = frozenset({"keys", "audit", "read", "channels", "stop", "reload"})


class Rights:
    """The configured rights: right -> groups that have it."""

    def __init__(self, groups: Mapping[str, frozenset[str]] | None = None) -> None:
        self._groups = dict(groups or {})

    def has(self, principal: Principal, right: str) -> bool:
        """Whether `principal` has `right`. The operator administers and can neither request nor decide."""
        if principal.kind is Kind.OPERATOR:
            return right in _OPERATOR
        groups = self._groups.get(right)
        if groups is None:
            return right in EVERYBODY or (right in ADMIN and "admins" in principal.groups)
        return bool(groups & principal.groups)

    def holders(self, right: str) -> frozenset[str] | None:
        """Groups that have `right`; None means everybody known."""
        groups = self._groups.get(right)
        if groups is None:
            return None if right in EVERYBODY else frozenset({"admins"})
        return groups
