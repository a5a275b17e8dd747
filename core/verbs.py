"""The verbs of the command language, in every version: no action may bear the name of one."""

from __future__ import annotations

VERBS = frozenset(
    {
        *("run", "approve", "reject", "request-changes", "edit", "comment", "show", "queue", "who", "history"),
        *("withdraw", "apply", "retry", "rollback", "resolve", "stop", "resume", "break-glass", "grant", "grants"),
        *("review",),
        *("revoke", "delegate", "delegations", "undelegate", "away", "freeze", "unfreeze", "freezes", "override"),
        *("lock", "extend", "unlock", "locks", "transfer", "cancel", "schedule", "schedules", "pause", "unschedule"),
        *("unpause", "fire", "suspend", "unsuspend", "agents", "work", "tell", "heartbeat", "messages", "ack"),
        *("triggers", "trigger"),
        *("status", "whoami", "link", "help"),
    }
)
