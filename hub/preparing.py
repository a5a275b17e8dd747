"""Step 2 of a start: the world is looked at once more, outside any transaction, before anything may run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.apply.action import Action, CommandSpec
from core.apply.fingerprint import fingerprint
from core.approvals.approval import Approval
from core.approvals.digest import comparable
from core.approvals.proposal import rendered
from core.errors import Conflict, Refusal
from core.policy.policy import Policy
from hub.carrying import Carrier
from hub.reviewing import bind, preview_of

MOST_STASH_BYTES = 65_536
"""What a stash may say: it travels in the environment of the rollback."""


async def bound_now(
    carrier: Carrier, approval: Approval, action: Action, policy: Policy, sealed: Mapping[str, bytes]
) -> dict[str, Any]:
    """The bound value as of now; a preview that is equal where it must be counts as the one that was shown."""
    try:
        preview = await preview_of(carrier, action, approval.params)
    except Refusal as refusal:
        preview = {"exit": None, "output": refusal.message}
    if (
        action.preview is not None
        and approval.preview is not None
        and preview is not None
        and comparable(preview, action.preview.compare) == comparable(approval.preview, action.preview.compare)
    ):
        preview = dict(approval.preview)
    return await bind(
        carrier,
        approval,
        action,
        policy,
        sealed,
        preview,
        revision=approval.revision,
        rollback_preview=approval.rollback_preview,
    )


async def moved(carrier: Carrier, approval: Approval, action: Action) -> str | None:
    """Why the rollback is not the approved one any more; None while it is."""
    bound = approval.bound or {}
    if action.rollback is None or action.canonical != bound.get("definition"):
        return "the action is defined otherwise now"
    operation = rendered(action.rollback, approval.params)
    names = [operation.argv[0]] if isinstance(operation, CommandSpec) else []
    prints = await fingerprint(carrier.root, action.files, executables=names)
    changed = sorted(name for name, value in prints.items() if bound.get("files", {}).get(name) != value)
    return f"changed since it was approved: {', '.join(changed)}" if changed else None


async def stashed(carrier: Carrier, approval: Approval, action: Action) -> bytes | None:
    """What the action says that a rollback must know. Raises Conflict `stash_failed`: then nothing starts."""
    if action.stash is None:
        return None
    result = await carrier.look(action.stash, approval.params)
    if result.outcome != "completed":
        raise Conflict("stash_failed", f"the stash of {approval.name} ended with {result.why}, so nothing started")
    said = result.output.encode()
    if len(said) > MOST_STASH_BYTES or "\0" in result.output:
        raise Conflict("stash_failed", f"the stash of {approval.name} is no text of at most {MOST_STASH_BYTES} bytes")
    return said
