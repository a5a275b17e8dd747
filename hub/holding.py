"""The leases of a run: taken all at once, waited for in order, kept by heartbeats, and given back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.apply.deadline import Deadline
from core.approvals.approval import Approval, find
from core.approvals.run import find_run
from core.approvals.states import State
from core.audit.log import Committed
from core.clock import SECOND
from core.errors import Conflict, Refusal
from core.leases.ending import end_for_approval, reoccupy_for_run
from core.leases.lease import Lease
from core.leases.renewing import heartbeat
from core.leases.request import Acquire
from core.leases.terms import LEASE_LOCKS, RUN
from core.people.directory import HUB
from core.store.database import Database
from core.store.tx import Tx
from hub.handover import Handover

TTL_SECONDS = 30.0
_MAX_HOLD_SECONDS = 24 * 3600.0
_ROLLBACK_WAIT_SECONDS = 24 * 3600.0
_RUNS = frozenset({State.APPLYING, State.ROLLING_BACK})

logger = logging.getLogger("interlock.runner")


class Holding:
    """Takes and keeps leases for the runs of this process."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._handover = Handover(db)

    def notice(self, entries: list[Committed]) -> None:
        """Runs that wait have the leases that these entries grant."""
        self._handover.notice(entries)

    async def take(self, approval: Approval, holder: str) -> Lease | None:
        """The lease on all of the approval's resources, once it is its turn; None when it needs none.

        Raises Conflict `lease_lost` when its place in the queue is gone.
        """
        if not approval.resources:
            return None
        if approval.state is State.UNKNOWN:
            taken = await self._db.write(_reoccupy, approval, holder, locks=LEASE_LOCKS, urgent=True)
            if taken is not None:
                return taken
        until = approval.apply_expires_at if approval.state is State.APPROVED else None
        wait = max(1.0, (until - self._db.now_us()) / SECOND) if until is not None else _ROLLBACK_WAIT_SECONDS
        wanted = Acquire(
            principal=HUB.id,
            resources=tuple(approval.resources),
            ttl_seconds=TTL_SECONDS,
            wait_seconds=wait,
            max_hold_seconds=_MAX_HOLD_SECONDS,
            rank_class=RUN,
            purpose=f"{approval.name}: {approval.title}"[:200],
            holder=holder,
            approval=approval.id,
            kind="run",
        )
        got = await self._handover.take(wanted)
        if isinstance(got, Lease):
            return got
        raise Conflict("lease_lost", f"its place in the queue is gone ({got.state})")

    @asynccontextmanager
    async def kept(self, lease: Lease | None) -> AsyncIterator[Deadline]:
        """Heartbeats run inside; the deadline moves with them and is where all work must have stopped."""
        deadline = Deadline()
        if lease is None:
            yield deadline
            return
        deadline.move(time.monotonic() + lease.ttl_seconds * 0.9)
        beating = asyncio.create_task(self._beat(lease, deadline))
        try:
            yield deadline
        finally:
            beating.cancel()

    async def _beat(self, lease: Lease, deadline: Deadline) -> None:
        while True:
            await asyncio.sleep(lease.ttl_seconds / 3)
            sent = time.monotonic()
            try:
                await self._db.write(heartbeat, HUB.id, lease.lock_id, lease.token, locks=LEASE_LOCKS, urgent=True)
                deadline.move(sent + lease.ttl_seconds * 0.9)
            except Refusal as refusal:
                logger.warning("lease %s is lost: %s", lease.lock_id, refusal.code)
                deadline.move(sent)
                return
            except Exception:
                logger.exception("a heartbeat of %s failed; it is tried again before its deadline", lease.lock_id)

    async def let_go(self, approval: int) -> None:
        """Leases that no run holds are free again; a run's own end has released its leases already."""
        await asyncio.shield(self._db.write(_release_unless_running, approval, locks=LEASE_LOCKS, urgent=True))


def _reoccupy(tx: Tx, seen: Approval, holder: str) -> Lease | None:
    approval = find(tx, seen.id)
    if approval.state is not State.UNKNOWN or approval.run is None:
        raise Conflict("changed", f"{approval.name} has just changed")
    lock_id = find_run(tx, approval.run).lock_id
    return reoccupy_for_run(tx, lock_id, holder, int(TTL_SECONDS * SECOND)) if lock_id is not None else None


def _release_unless_running(tx: Tx, number: int) -> None:
    if find(tx, number).state not in _RUNS:
        end_for_approval(tx, number)
