"""What time does: requests expire, leases are reclaimed, what may be forgotten is forgotten."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy import bindparam, null, update

from core import once
from core.agents.inbox import next_due, tell_again
from core.approvals import press
from core.approvals.delegation import expire_delegations, next_over
from core.approvals.expire import expire
from core.approvals.expire import next_deadline as next_expiry
from core.approvals.freeze import any_over, end_those_over
from core.approvals.grant import expire_grants
from core.approvals.grant import next_over as next_grant_over
from core.approvals.nudge import next_deadline as next_nudge
from core.approvals.nudge import nudge
from core.approvals.windows import say, unsaid
from core.clock import SECOND
from core.leases.reminding import next_reminder
from core.leases.terms import LEASE_LOCKS
from core.leases.ticking import forget as forget_leases
from core.leases.ticking import next_deadline as next_lapse
from core.leases.ticking import tick
from core.people import linking, links, sessions
from core.people.directory import HUB
from core.store import schema
from core.store.database import Database
from core.store.statement import Statement
from core.store.tx import Tx
from core.triggers.standing import forget as forget_firings
from core.work.losing import any_given_up, give_up
from core.world import World
from hub import receiving
from hub.locks import Locks, keep_places, lapsing

_TICK_SECONDS = 1.0
_SWEEP_SECONDS = 600.0
_OUTPUT = Statement(
    update(schema.run)
    .where(schema.run.c.ended_at < bindparam("before"), schema.run.c.output.is_not(None))
    .values(output=null())
)

logger = logging.getLogger("interlock.timers")


class Timers:
    """Makes visible what the guards already enforce; a timer that is late delays nothing but the news."""

    def __init__(self, db: Database, world: Callable[[], World], locks: Locks) -> None:
        self._db = db
        self._locks = locks
        self._world = world
        self._woken = asyncio.Event()
        self._swept = float("-inf")

    def wake(self) -> None:
        """A deadline may have moved nearer."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._serve()
                pause = await self._pause()
            except Exception:
                logger.exception("a timer failed; it is tried again")
                pause = _TICK_SECONDS
            self._woken.clear()
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _serve(self) -> None:
        now = self._db.now_us()
        if await self._db.read(lapsing):
            await self._db.write(keep_places, locks=LEASE_LOCKS, urgent=True)
        reminder = await self._db.read(next_reminder)
        if reminder is not None and reminder <= now:
            await self._db.write(self._locks.remind, self._world(), locks=LEASE_LOCKS, urgent=True)
        lapse = await self._db.read(next_lapse)
        if lapse is not None and lapse <= now:
            await self._db.write(tick, locks=LEASE_LOCKS, urgent=True)
        expiry = await self._db.read(next_expiry)
        if expiry is not None and expiry <= now:
            await self._db.write(expire, locks=LEASE_LOCKS, urgent=True)
        over = await self._db.read(next_over)
        if over is not None and over <= now:
            await self._db.write(expire_delegations, locks=LEASE_LOCKS)
        spent = await self._db.read(next_grant_over)
        if spent is not None and spent <= now:
            await self._db.write(expire_grants)
        due = await self._db.read(next_nudge)
        if due is not None and due <= now:
            await self._db.write(nudge, self._world(), locks=LEASE_LOCKS, urgent=True)
        unheard = await self._db.read(next_due)
        if unheard is not None and unheard <= now:
            await self._db.write(tell_again)
        if await self._db.read(any_given_up):
            await self._db.write(give_up, self._keeps_closed, locks=LEASE_LOCKS, urgent=True)
        if await self._db.read(unsaid, self._world()):
            await self._db.write(say, self._world(), locks=LEASE_LOCKS, urgent=True)
        if await self._db.read(any_over):
            await self._db.write(end_those_over, locks=LEASE_LOCKS, urgent=True)
        loop = asyncio.get_running_loop()
        if loop.time() - self._swept > _SWEEP_SECONDS:
            self._swept = loop.time()
            await self._db.write(sweep, self._world())

    def _keeps_closed(self, action: str) -> bool:
        """Whether the resources of that action's run stay closed when nobody knows how it ended."""
        known = self._world().actions.get(action)
        return known is None or known.on_unknown == "keep"

    async def _pause(self) -> float:
        now = self._db.now_us()
        times = [
            each for read in (next_lapse, next_expiry, next_nudge, next_due) if (each := await self._db.read(read))
        ]
        return min([_TICK_SECONDS, *(max(0.001, (each - now) / SECOND + 0.001) for each in times)])


def sweep(tx: Tx, world: World) -> None:
    """What is older than `keep` says is gone: once-keys, output, sessions, links, ended leases. Never the log."""
    keep = world.keep
    once.forget(tx, tx.now_us - int(keep.once_seconds * SECOND))
    press.forget(tx, tx.now_us)
    tx.run(_OUTPUT, before=tx.now_us - int(keep.output_seconds * SECOND))
    sessions.sweep(tx, by=HUB.id, keep_seconds=keep.sessions_seconds)
    linking.forget(tx, before_us=tx.now_us)
    links.forget(tx, before_us=tx.now_us - int(keep.sessions_seconds * SECOND))
    receiving.forget(tx, tx.now_us - int(keep.mail_seconds * SECOND))
    forget_leases(tx)
    forget_firings(tx, tx.now_us - int(keep.once_seconds * SECOND))
