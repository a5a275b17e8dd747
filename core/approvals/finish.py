"""How a run ends: observed, stopped, or unknown until a person says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from core.approvals import secret
from core.approvals.approval import Approval, change, find
from core.approvals.run import Kind, Run, end_run, resolve_run
from core.approvals.states import State
from core.errors import Conflict
from core.leases.ending import close_for_run, end_for_approval, reopen_for_run
from core.leases.fence import overtaken
from core.people.directory import HUB, Principal
from core.store.tx import Tx

_STATES: Mapping[Kind, Mapping[str, State]] = {
    "apply": {"completed": State.COMPLETED, "failed": State.FAILED, "unknown": State.UNKNOWN},
    "rollback": {"completed": State.ROLLED_BACK, "failed": State.ROLLBACK_FAILED, "unknown": State.UNKNOWN},
}
_EVENTS: Mapping[Kind, Mapping[str, str]] = {
    "apply": {"completed": "apply:finished", "failed": "apply:failed", "unknown": "apply:unknown"},
    "rollback": {"completed": "rollback:finished", "failed": "rollback:failed", "unknown": "apply:unknown"},
}


def finish(
    tx: Tx,
    run: Run,
    *,
    state: Literal["completed", "failed", "unknown"],
    exit_code: int | None,
    why: str | None,
    output: str,
    dropped: int,
    keep_closed: bool = True,
) -> bool:
    """The run and its approval have ended; leases are free, or closed where nobody knows. False when they had already.

    `keep_closed` False is for an action that says `on_unknown: release`.
    """
    if not end_run(tx, run.id, state=state, exit_code=exit_code, why=why, output=output.encode(), dropped=dropped):
        return False
    approval = find(tx, run.approval)
    to = _STATES[run.kind][state]
    change(tx, approval, to=to, closed_at=tx.now_us, closed_why=why)
    secret.drop(tx, approval.id)
    tx.record(
        _EVENTS[run.kind][state],
        actor=run.stop_by or HUB.id,
        subject=approval.name,
        details={
            "state": str(to),
            "run": run.name,
            "exit": exit_code,
            "why": why,
            "token": run.token,
            "fence": "overtaken" if overtaken(tx, approval.resources, run.token) else "held",
        },
        private={"output": output[-4096:]} if output else {},
    )
    if state == "unknown" and keep_closed and run.lock_id is not None:
        close_for_run(tx, run.lock_id)
    else:
        end_for_approval(tx, approval.id)
    return True


def resolve(
    tx: Tx,
    approval: Approval,
    run: Run,
    *,
    by: Principal,
    channel: str,
    outcome: Literal["completed", "failed"],
    reason: str,
) -> None:
    """A person said how an UNKNOWN run ended; its resources are open again. Raises Conflict `wrong_state`."""
    if approval.state is not State.UNKNOWN:
        raise Conflict("wrong_state", f"{approval.name} is {approval.state}; only an UNKNOWN one is resolved")
    to = _STATES[run.kind][outcome]
    change(tx, approval, to=to, closed_why=f"resolved by {by.id}")
    resolve_run(tx, run.id, state=outcome, why=f"resolved by {by.id}")
    tx.record(
        "apply:resolved",
        actor=by.id,
        subject=approval.name,
        channel=channel,
        details={"state": str(to), "run": run.name, "outcome": outcome},
        private={"reason": reason},
    )
    if run.lock_id is not None:
        reopen_for_run(tx, run.lock_id)
    end_for_approval(tx, approval.id)
