"""Whether a trigger matches what happened, and what it then asks for. Pure: CEL over given values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.policy.expression import HOOK, Bounds, Expression, ExpressionFailed
from core.world import Trigger

OF_EVENT = frozenset({"event", "actor", "subject", "channel", "details", "approval", "now"})
"""What expressions see of an entry of the log."""
OF_HOOK = frozenset({"body", "headers", "now"})
"""What they see of a message to a hook."""
NO_APPROVAL: Mapping[str, Any] = {
    **dict.fromkeys(("id", "action", "title", "reason", "requester", "state", "policy", "cause"), ""),
    "params": {},
    "resources": [],
    "revision": 0,
    "attempt": 0,
}
"""What `approval` is for an entry that is about none, or about one that the trigger's principal may not see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a trigger asks for."""

    action: str
    params: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None

    @property
    def args(self) -> dict[str, Any]:
        """The arguments of the verb `request`."""
        return {"action": self.action, "params": dict(self.params), "reason": self.reason}


def wanted(trigger: Trigger, variables: Mapping[str, Any], *, why: str) -> Wanted | None:
    """What it asks for; None when it does not match. `why` is the reason where it gives none.

    Raises ExpressionFailed: what cannot be evaluated asks for nothing.
    """
    names, bounds = (OF_HOOK, HOOK) if "body" in variables else (OF_EVENT, Bounds())
    if trigger.when is not None and not Expression.compile(trigger.when, names).holds(variables, bounds):
        return None
    params = {
        name: Expression.compile(source, names).evaluate(variables, bounds) for name, source in trigger.params.items()
    }
    reason = why
    if trigger.reason is not None:
        reason = Expression.compile(trigger.reason, names).evaluate(variables, bounds)
        if not isinstance(reason, str):
            raise ExpressionFailed(f"{trigger.reason!r} gives {type(reason).__name__}, not a text")
    return Wanted(action=trigger.action, params=params, reason=reason)
