"""What a lease store must be able to do to be held by `LeaseStoreContract`, and the SQL store in that shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import bindparam, delete, select

from core.clock import ManualClock
from core.leases import acquiring, ending, extending, fence, renewing, replacing, ticking, token, waiting
from core.leases.lease import Lease, Ticket
from core.leases.request import Acquire, Mode
from core.leases.terms import LEASE_LOCKS, LIMITS, TICK, LeaseLimits
from core.store import schema
from core.store.database import Database
from core.store.postgres import PostgresEngine
from core.store.statement import Statement
from core.store.tx import Tx

P = ParamSpec("P")
T = TypeVar("T")

Event = tuple[str, str]
"""The name of a log event, and its subject (`L7`)."""


class LeaseStore(Protocol):
    """One store of leases under a clock that the test moves. Every call is one committed operation, or a Refusal."""

    clock: ManualClock

    def reset(self) -> None:
        """Forget every lease, token and event."""
        ...

    def events(self) -> list[Event]:
        """What the log got since the last call, in order."""
        ...

    def acquire(self, request: Acquire, limits: LeaseLimits = LIMITS) -> Lease | Ticket: ...

    def heartbeat(self, principal: str, lock_id: str, token: int) -> Lease: ...

    def heartbeat_session(self, principal: str, session: str, held: Sequence[tuple[str, int]]) -> list[Lease]: ...

    def release(self, principal: str, lock_id: str, token: int | None) -> Lease: ...

    def convert(
        self, principal: str, lock_id: str, token: int, mode: Mode, wait_seconds: float = 0.0
    ) -> Lease | Ticket: ...

    def transfer(self, actor: str, lock_id: str, to: str, token: int | None, holder: str | None = None) -> Lease: ...

    def extend(self, principal: str, lock_id: str, seconds: float) -> Lease: ...

    def break_(self, actor: str, lock_id: str, reason: str) -> Lease: ...

    def poll(self, principal: str, ticket: str) -> Ticket: ...

    def cancel(self, principal: str, ticket: str) -> Ticket: ...

    def tick(self, limit: int = TICK) -> int | None: ...

    def close_for_run(self, number: int) -> None: ...

    def reopen_for_run(self, number: int) -> bool: ...

    def end_for_run(self, number: int) -> bool: ...

    def end_for_approval(self, approval: int) -> None: ...

    def forgive(self, stalled_us: int) -> int: ...

    def raise_epoch(self, seen: int = 0) -> int: ...

    def raise_fence(self, resources: Sequence[str], token: int) -> None: ...

    def check_fence(self, resources: Sequence[str], token: int) -> None: ...


_TABLES = [
    Statement(delete(t)) for t in (schema.lease, schema.lease_resource, schema.lease_pace, schema.shard, schema.fence)
]
_EVENTS = Statement(
    select(schema.log.c.seq, schema.log.c.event, schema.log.c.subject)
    .where(schema.log.c.seq > bindparam("after"))
    .order_by(schema.log.c.seq)
)


class SqlLeaseStore:
    """The functions of `core.leases` over a database, each as one write."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.clock = clock
        self._database = database
        self._seen = database.log.size

    def _do(self, fn: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._database.write_now(lambda tx: fn(tx, *args, **kwargs), locks=LEASE_LOCKS)

    def reset(self) -> None:
        self._do(lambda tx: [tx.run(statement) for statement in _TABLES])
        self.events()

    def events(self) -> list[Event]:
        after = self._seen
        rows = self._do(lambda tx: tx.all(_EVENTS, after=after))
        self._seen = max([row["seq"] for row in rows], default=after)
        return [(row["event"], row["subject"]) for row in rows]

    def acquire(self, request: Acquire, limits: LeaseLimits = LIMITS) -> Lease | Ticket:
        return self._do(acquiring.acquire, request, limits)

    def heartbeat(self, principal: str, lock_id: str, token: int) -> Lease:
        return self._do(renewing.heartbeat, principal, lock_id, token)

    def heartbeat_session(self, principal: str, session: str, held: Sequence[tuple[str, int]]) -> list[Lease]:
        return self._do(renewing.heartbeat_session, principal, session, held)

    def release(self, principal: str, lock_id: str, token: int | None) -> Lease:
        return self._do(ending.release, principal, lock_id, token)

    def convert(
        self, principal: str, lock_id: str, token: int, mode: Mode, wait_seconds: float = 0.0
    ) -> Lease | Ticket:
        return self._do(replacing.convert, principal, lock_id, token, mode, wait_seconds=wait_seconds)

    def transfer(self, actor: str, lock_id: str, to: str, token: int | None, holder: str | None = None) -> Lease:
        return self._do(replacing.transfer, actor, lock_id, to, token=token, holder=holder)

    def extend(self, principal: str, lock_id: str, seconds: float) -> Lease:
        return self._do(extending.extend, principal, lock_id, seconds)

    def break_(self, actor: str, lock_id: str, reason: str) -> Lease:
        return self._do(ending.break_, actor, lock_id, reason)

    def poll(self, principal: str, ticket: str) -> Ticket:
        return self._do(waiting.poll, principal, ticket)

    def cancel(self, principal: str, ticket: str) -> Ticket:
        return self._do(waiting.cancel, principal, ticket)

    def tick(self, limit: int = TICK) -> int | None:
        return self._do(ticking.tick, limit)

    def close_for_run(self, number: int) -> None:
        self._do(ending.close_for_run, number)

    def reopen_for_run(self, number: int) -> bool:
        return self._do(ending.reopen_for_run, number)

    def end_for_run(self, number: int) -> bool:
        return self._do(ending.end_for_run, number)

    def end_for_approval(self, approval: int) -> None:
        self._do(ending.end_for_approval, approval)

    def forgive(self, stalled_us: int) -> int:
        return self._do(ticking.forgive, stalled_us)

    def raise_epoch(self, seen: int = 0) -> int:
        return self._do(token.raise_epoch, seen)

    def raise_fence(self, resources: Sequence[str], token: int) -> None:
        self._do(fence.raise_fence, resources, token)

    def check_fence(self, resources: Sequence[str], token: int) -> None:
        self._do(fence.check_fence, resources, token)


class ClockedPostgres(PostgresEngine):
    """PostgreSQL whose store time is a clock that the test moves; everything else is the real engine."""

    def __init__(self, dsn: str, clock: ManualClock) -> None:
        super().__init__(dsn)
        self._clock = clock

    def begin(self, locks: Sequence[str]) -> int:
        super().begin(locks)
        return self._clock.wall_us()
