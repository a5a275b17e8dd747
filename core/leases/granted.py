"""The lease that a grant's own log entry tells of: whoever waited needs no second look to begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from core.clock import SECOND
from core.leases.lease import Lease
from core.leases.request import Mode


class Entry(Protocol):
    """An entry as the news of a commit brings it."""

    @property
    def ts(self) -> int: ...
    @property
    def event(self) -> str: ...
    @property
    def actor(self) -> str | None: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def details(self) -> Mapping[str, Any]: ...


def granted(entry: Entry) -> Lease:
    """The lease as it was granted, of a `lease:acquired`. What only its request knew (the purpose) is not in it."""
    details = entry.details
    mode: Mode = details["mode"]
    return Lease(
        lock_id=entry.subject or "",
        state="held",
        resources=tuple(details["resources"]),
        mode=mode,
        holder=details["holder"],
        principal=details.get("principal") or entry.actor or "",
        token=details["token"],
        ttl_seconds=details["ttl_us"] / SECOND,
        acquired_at=entry.ts,
        heartbeat_at=entry.ts,
        expires_at=details["expires_at"],
        approval=int(details["approval"][1:]) if "approval" in details else None,
    )
