"""Which policy is in force for a request."""

from __future__ import annotations

from collections.abc import Iterable

from core.errors import Refusal
from core.policy.context import NAMES, Context
from core.policy.expression import Expression, ExpressionFailed
from core.policy.policy import Policy


def choose(policies: Iterable[Policy], context: Context) -> Policy:
    """The first policy whose `when` is true, or that has none.

    Raises ExpressionFailed (`policy_error`) when an expression before it fails: an error never falls through to a
    weaker rule. Raises Refusal (`no_policy`) when none matches.
    """
    variables = context.variables()
    for policy in policies:
        if policy.when is None or _holds(policy, variables):
            return policy
    raise Refusal("no_policy", f"no policy covers {context.action}; somebody has to add one to hub.yaml")


def _holds(policy: Policy, variables: dict[str, object]) -> bool:
    try:
        return Expression.compile(policy.when or "", NAMES).holds(variables)
    except Refusal as refusal:
        raise ExpressionFailed(f"policy {policy.name}: {refusal.message}", policy=policy.name) from refusal
