"""A run that an agent shall carry out is offered to those with its labels."""

from __future__ import annotations

from core.apply.action import Action, AgentSpec
from core.approvals.approval import Approval
from core.approvals.run import Run, identify
from core.clock import SECOND
from core.people.directory import HUB
from core.store.tx import Tx
from core.work.work import BY_AGENT, Work, insert_work


def offer(tx: Tx, approval: Approval, run: Run, action: Action) -> None:
    """The run waits for an agent that may take it."""
    spec = action.apply
    assert isinstance(spec, AgentSpec)
    now = tx.now_us
    insert_work(
        tx,
        Work(
            run=run.id,
            approval=approval.id,
            action=approval.action,
            params=approval.params,
            labels=spec.labels,
            priority=spec.priority,
            state="queued",
            most_tries=spec.tries if action.retry_safe else 1,
            tries=0,
            offered_at=now,
            due_at=now,
            until=now + int(spec.timeout_seconds * SECOND),
            ttl_us=int(spec.heartbeat_seconds * SECOND),
            agent=None,
            claim=None,
            claimed_at=None,
            expires_at=None,
            reported_at=None,
            progress=None,
            output=b"",
            dropped=0,
            artifacts=(),
        ),
    )
    identify(tx, run.id, BY_AGENT)
    tx.record(
        "apply:offered",
        actor=HUB.id,
        subject=approval.name,
        details={"run": run.name, "labels": list(spec.labels), "priority": spec.priority},
    )
