"""Brings notices to people: each on the first channel that they prefer and that takes messages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from core.people.directory import Principal
from core.store.database import Database
from core.store.tx import Tx
from core.world import World
from hub import notices, receiving
from hub.asking import Target, preferred
from hub.contracts import Adapter, DeliveryFailed, Messaging
from hub.notices import Notice

_POLL_SECONDS = 5.0
_POST_SECONDS = 30.0

logger = logging.getLogger("interlock.messenger")


class Messenger:
    """One loop: notices are few, and each is for one person."""

    def __init__(
        self,
        db: Database,
        *,
        world: Callable[[], World],
        adapters: Callable[[], Mapping[str, Adapter]],
        works: Callable[[str], bool],
        tell: Callable[[Principal, str], None],
    ) -> None:
        self._db = db
        self._world = world
        self._adapters = adapters
        self._works = works
        self._tell = tell
        self._woken = asyncio.Event()

    def plan(self, tx: Tx, person: Principal, subject: str, text: str) -> None:
        """In this transaction: the person will be told, and who looks at the page sees it at once."""
        if self._target(person, frozenset()) is not None:
            notices.add(tx, person.id, subject, text)
        tx.after_commit(lambda: self._planned(person, text))

    def _planned(self, person: Principal, text: str) -> None:
        self._tell(person, text)
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._woken.clear()
            for notice in await self._db.read(notices.due):
                if await self._db.write(notices.claim, notice):
                    await self._attempt(notice)
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._woken.wait()

    async def _attempt(self, notice: Notice) -> None:
        person = self._world().people.find(notice.principal)
        dead = await self._db.read(receiving.suppressed)
        target = self._target(person, dead) if person is not None else None
        if target is None:
            await self._db.write(notices.fail, notice, None, "no channel of theirs takes messages", True)
            return
        adapter = self._adapters()[target.channel]
        assert isinstance(adapter, Messaging)
        try:
            async with asyncio.timeout(_POST_SECONDS):
                await adapter.message(target.address, notice.text, f"notice.{notice.id}")
        except DeliveryFailed as failed:
            await self._db.write(notices.fail, notice, target, str(failed), failed.permanent)
        except Exception as error:
            logger.exception("a notice could not be sent")
            await self._db.write(notices.fail, notice, target, type(error).__name__)
        else:
            await self._db.write(notices.settle, notice, target)

    def _target(self, person: Principal, dead: frozenset[tuple[str, str]]) -> Target | None:
        usable = {name: each for name, each in self._adapters().items() if isinstance(each, Messaging)}
        return preferred(person, usable, self._works, dead)
