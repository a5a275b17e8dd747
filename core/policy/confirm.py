"""Typing a request's id to approve it, where its policy asks for that.

What was typed proves nothing about who typed it, which the channel does. It proves that approving this request, and no
other, was more than one press: nothing that is clicked, tapped or sent again by accident says the id of the request.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import Invalid
from core.policy.policy import Policy

TYPED = "typed"
"""The member of a decision's evidence that says what was typed."""


def confirmed(policy: Policy, name: str, said: str | None) -> Mapping[str, str]:
    """What the evidence of an approval says of it; `name` is the request's id, typed in whatever case.

    Raises Invalid `confirmation_required`, `confirmation_wrong`.
    """
    if policy.confirm != "typed":
        return {}
    if not said:
        why = f"policy {policy.name} asks you to type {name} to approve it; the command `approve {name}` does"
        raise Invalid("confirmation_required", why, confirm=name)
    if said.strip().upper() != name:
        raise Invalid("confirmation_wrong", f"what you typed is not {name}; nothing was approved", confirm=name)
    return {TYPED: name}
