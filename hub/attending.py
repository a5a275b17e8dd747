"""Runs that agents carry out: the hub offers them, keeps their leases, and takes them up again after a restart."""

from __future__ import annotations

import asyncio
import logging
import time

from core.apply.action import Action
from core.apply.deadline import Deadline
from core.approvals.approval import find
from core.approvals.run import Run, find_run, running
from core.errors import Refusal
from core.ids import show
from core.leases.lease import Lease
from core.leases.renewing import heartbeat
from core.leases.terms import LEASE_LOCKS
from core.people.directory import HUB
from core.store.database import Database
from core.store.rows import Reader
from core.store.tx import Tx
from core.work.offering import offer
from core.work.reporting import end
from core.work.work import BY_AGENT, find_work
from hub.holding import Holding

_LOOK_SECONDS = 1.0

logger = logging.getLogger("interlock.runner")


def left_to_agents(reader: Reader) -> list[Run]:
    """Every run that an agent carries out and that has not ended."""
    return [run for run in running(reader) if run.process == BY_AGENT]


class Attending:
    """Stays with such a run until it has ended. What agents say ends it, or time does; both in the store."""

    def __init__(self, db: Database, holding: Holding) -> None:
        self._db = db
        self._holding = holding

    async def offer(self, run: Run, action: Action, deadline: Deadline) -> None:
        """The run waits for an agent, and has ended when this returns, or its lease is lost."""
        await self._db.write(_offer, run.id, action, urgent=True)
        await self._stay(run.id, deadline)

    async def adopt(self, run: Run) -> None:
        """A run that a former hub had offered is kept on to its end, if its lease still is."""
        try:
            lease = await self._db.write(_still_held, run, locks=LEASE_LOCKS, urgent=True)
        except Refusal as refusal:
            logger.warning("%s lost its lease while no hub was there: %s", run.name, refusal.code)
            await self._lose(run.id, "its lease ran out while no hub was there to keep it")
            return
        async with self._holding.kept(lease) as deadline:
            await self._stay(run.id, deadline)

    async def _stay(self, run: int, deadline: Deadline) -> None:
        while (await self._db.read(find_run, run)).ended_at is None:
            if deadline.at is not None and deadline.at <= time.monotonic():
                await self._lose(run, "its lease was lost")
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _lose(self, run: int, why: str) -> None:
        await self._db.write(_end_unknown, run, why, locks=LEASE_LOCKS, urgent=True)


def _offer(tx: Tx, number: int, action: Action) -> None:
    run = find_run(tx, number)
    offer(tx, find(tx, run.approval), run, action)


def _still_held(tx: Tx, run: Run) -> Lease | None:
    return heartbeat(tx, HUB.id, show("L", run.lock_id), run.token) if run.lock_id is not None else None


def _end_unknown(tx: Tx, number: int, why: str) -> None:
    work = find_work(tx, number)
    if work is not None and work.state != "ended":
        end(tx, work, state="unknown", why=why)
