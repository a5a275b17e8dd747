"""What a lease, a place in the queue and a holder look like from outside the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from core.clock import SECOND, rfc3339
from core.errors import Conflict
from core.ids import parse, show
from core.leases.request import LeaseKind, Mode
from core.leases.resource import names_in
from core.store.encoding import load
from core.store.rows import Row

LeaseState = Literal["held", "closed", "ended"]
TicketState = Literal["waiting", "granted", "cancelled", "expired", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to `resources` until `expires_at`, as long as every effect carries `token`.

    Times are microseconds since 1970 by the store's clock. `expires_at` is None while it is closed: nobody holds
    it and nobody gets it. `ended` says how it ended: released, reclaimed or broken.
    """

    lock_id: str
    state: LeaseState
    resources: tuple[str, ...]
    mode: Mode
    holder: str
    principal: str
    token: int
    ttl_seconds: float
    acquired_at: int
    heartbeat_at: int
    expires_at: int | None
    purpose: str | None = None
    ended: str | None = None
    ended_at: int | None = None
    kind: LeaseKind = "lease"
    approval: int | None = None

    @property
    def number(self) -> int:
        """The 7 of `L7`."""
        return parse("L", self.lock_id)

    @property
    def fields(self) -> dict[str, Any]:
        """What CONTRACT calls a Lease: times in RFC 3339."""
        return {
            "lock_id": self.lock_id,
            "resources": list(self.resources),
            "mode": self.mode,
            "holder": self.holder,
            "token": self.token,
            "ttl_seconds": self.ttl_seconds,
            "acquired_at": rfc3339(self.acquired_at),
            "heartbeat_at": rfc3339(self.heartbeat_at),
            "expires_at": None if self.expires_at is None else rfc3339(self.expires_at),
            "purpose": self.purpose,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A place in the queue and what became of it. `position` is 1 for the next, and 0 once it waits no longer.

    `expected_seconds` is how long it probably waits, by how long such leases were held lately; None where nobody knows.

    `lock_id` is the lease that it stands for. A `refused` one names the cycle that it would have closed.
    """

    id: str
    lock_id: str
    state: TicketState
    principal: str
    resources: tuple[str, ...]
    position: int = 0
    expected_seconds: float | None = None
    lease: Lease | None = None
    cycle: tuple[dict[str, str], ...] = ()
    expires_at: int | None = None

    def refusal(self) -> Conflict:
        """The refusal to answer with when a request was refused as it was made."""
        return Conflict("deadlock", in_words(self.cycle), cycle=list(self.cycle), ticket=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who is in the way: since when, what for, and until when at most without a heartbeat."""

    lock_id: str
    holder: str
    principal: str
    since: int
    purpose: str | None
    expires_at: int | None
    resources: tuple[str, ...] = field(default=())

    @property
    def fields(self) -> dict[str, Any]:
        """What CONTRACT calls an item of `held_by`, the principal by id: times in RFC 3339."""
        return {
            "holder": self.holder,
            "principal": self.principal,
            "since": rfc3339(self.since),
            "purpose": self.purpose,
            "expires_at": None if self.expires_at is None else rfc3339(self.expires_at),
        }


def in_words(cycle: Sequence[dict[str, str]]) -> str:
    """A cycle as a sentence: "L9 of @ana holds env:prod and waits for service:api, which L7 of @bo holds, which …"."""
    last = cycle[-1]
    verb = "holds" if last["how"] == "holds" else "stands first for"
    said = [f"{last['by']} of @{cycle[0]['principal']} {verb} {last['resource']}"]
    for step, following in pairwise(cycle):
        relation = "holds" if step["how"] == "holds" else "waits for first"
        said.append(f"waits for {step['resource']}, which {step['by']} of @{following['principal']} {relation}")
    said.append(f"waits for {last['resource']}")
    first, *rest = said
    return f"{first} and {', which '.join(rest)}"


def lease_of(row: Row) -> Lease:
    """The lease of a row that was granted."""
    return Lease(
        lock_id=show("L", row["id"]),
        state=row["state"],
        resources=names_in(row["resources"]),
        mode=row["mode"],
        holder=row["holder"],
        principal=row["principal"],
        token=row["token"],
        ttl_seconds=row["ttl_us"] / SECOND,
        acquired_at=row["acquired_at"],
        heartbeat_at=row["heartbeat_at"],
        expires_at=row["expires_at"],
        purpose=row["purpose"],
        ended=row["ended"],
        ended_at=row["ended_at"],
        kind=row["kind"],
        approval=row["approval"],
    )


def ticket_of(row: Row, position: int = 0, expected_us: int | None = None) -> Ticket:
    """The ticket of a row that had to wait, with its lease once there is one."""
    granted = row["token"] is not None
    return Ticket(
        id=show("T", row["ticket"]),
        lock_id=show("L", row["id"]),
        state="waiting" if row["state"] == "waiting" else "granted" if granted else row["ended"],
        principal=row["principal"],
        resources=names_in(row["resources"]),
        position=position,
        expected_seconds=None if expected_us is None else expected_us / SECOND,
        lease=lease_of(row) if granted else None,
        cycle=tuple(load(row["cycle"]) or ()),
        expires_at=row["expires_at"],
    )


def holder_of(row: Row) -> Holder:
    """Who is in the way, of a row that is held or closed."""
    return Holder(
        lock_id=show("L", row["id"]),
        holder=row["holder"],
        principal=row["principal"],
        since=row["acquired_at"],
        purpose=row["purpose"],
        expires_at=row["expires_at"],
        resources=names_in(row["resources"]),
    )
