"""What a policy's expressions see of a request: exactly these seven names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from core.apply.action import Action
from core.people.assurance import Assurance
from core.people.directory import Principal

NAMES = frozenset({"action", "params", "requester", "channel", "assurance", "resources", "now"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A request as policies see it."""

    action: str
    params: Mapping[str, Any] = field(default_factory=dict)
    """Bound values, a `number` as float. Secrets are not among them."""
    requester: Principal
    channel: str
    assurance: Assurance
    resources: tuple[str, ...] = ()
    now: datetime
    """Aware; its zone is the one in which `now.getHours()` counts, so callers give the hub's."""

    @classmethod
    def of(
        cls,
        action: Action,
        values: Mapping[str, Any],
        *,
        requester: Principal,
        channel: str,
        assurance: Assurance,
        resources: tuple[str, ...],
        now: datetime,
    ) -> Context:
        """The context of a request for `action` with the bound `values`."""
        numbers = {param.name for param in action.params if param.type == "number"}
        return cls(
            action=action.name,
            params={name: float(value) if name in numbers else value for name, value in values.items()},
            requester=requester,
            channel=channel,
            assurance=assurance,
            resources=resources,
            now=now,
        )

    def variables(self) -> dict[str, Any]:
        """The names of an expression and their values. `requester.name` is the key in hub.yaml, which is unique."""
        return {
            "action": self.action,
            "params": dict(self.params),
            "requester": {
                "name": self.requester.id,
                "kind": self.requester.kind.value,
                "groups": sorted(self.requester.groups),
                "owners": sorted(self.requester.owners),
            },
            "channel": self.channel,
            "assurance": self.assurance.word,
            "resources": list(self.resources),
            "now": self.now.astimezone(timezone(self.now.utcoffset() or timedelta())),
        }
