"""A run under way in this process: how it is stopped, and what it prints, for whoever watches."""

from __future__ import annotations

import asyncio
import logging

from core.apply.printed import Printed
from core.approvals.run import keep_output
from core.errors import Refusal, StoreError
from core.store.database import Database

SAVE_SECONDS = 1.0
"""How often what was printed is saved while the run goes on: a hub that dies loses no more of it."""

SAVED = 65_536
"""Bytes that are saved then, half from the beginning and half from the end; the end of a run saves all that is kept."""

logger = logging.getLogger("interlock.runner")


class Live:
    """One such run. It never waits for who watches: they are woken, and read as fast as they can."""

    def __init__(self, *, run: int, approval: int) -> None:
        self.run = run
        self.approval = approval
        self.stop = asyncio.Event()
        self.printed = Printed()
        self.ended = False
        """Whether its end is stored, and with it everything that is kept of what it printed."""
        self.news = asyncio.Event()
        """Set by what comes next; whoever waits takes it before looking."""

    def say(self, text: str) -> None:
        """The run printed `text`."""
        self.printed.feed(text)
        self._wake()

    def end(self) -> None:
        """The run's end is stored."""
        self.ended = True
        self._wake()

    async def save(self, db: Database) -> None:
        """Until cancelled, what was printed is found in the database too: after a crash, and by other processes."""
        saved = 0
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            if self.printed.total == saved:
                continue
            saved = self.printed.total
            try:
                await db.write(keep_output, self.run, *self.printed.stored(SAVED))
            except (StoreError, Refusal):
                logger.warning("what R%d prints could not be saved meanwhile", self.run, exc_info=True)

    def _wake(self) -> None:
        news, self.news = self.news, asyncio.Event()
        news.set()
