"""The mailbox at work: search, handle, move, wait, for ever; a lost connection is made anew with growing pauses.

The inbox is the queue: what is in it has not been handled, whatever its flags say, and what was handled is moved. A
crash between a mail's effect and its move shows it again, and its once-key makes that nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from adapters.email.clerk import Clerk
from adapters.email.letter import MOST_BYTES
from adapters.email.mailbox import Mailbox, MailboxLost
from adapters.email.settings import Imap

logger = logging.getLogger("interlock.email")

_LONGEST_PAUSE_SECONDS = 60.0
Open = Callable[[Imap], AbstractAsyncContextManager[Mailbox]]


class Reading:
    """Reads one mailbox. `problem` says why it cannot at the moment; None while it does."""

    def __init__(self, settings: Imap, clerk: Clerk, open_: Open) -> None:
        self._settings = settings
        self._clerk = clerk
        self._open = open_
        self._failures = 0
        self.problem: str | None = "not connected yet"

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with self._open(self._settings) as box:
                    while True:
                        await self._empty(box)
                        self._well()
                        await box.wait(self._settings.idle_seconds)
            except MailboxLost as lost:
                self.problem = str(lost)
                logger.warning("the mailbox of %s is out of reach: %s", self._settings.user, lost)
            except Exception as error:
                self.problem = f"{type(error).__name__}"
                logger.exception("reading the mailbox of %s failed; it is tried again", self._settings.user)
            self._failures += 1
            longest = min(_LONGEST_PAUSE_SECONDS, 0.1 * 2.0 ** min(self._failures, 12))
            await asyncio.sleep(longest * (0.5 + random.random() / 2))  # noqa: S311 (it spreads load, and guards nothing)

    def _well(self) -> None:
        """The mailbox can be read."""
        self.problem, self._failures = None, 0

    async def _empty(self, box: Mailbox) -> None:
        """Everything that is in the inbox now has been handled."""
        for uid in await box.uids():
            size = await box.size(uid)
            if size is None:
                continue
            if size > MOST_BYTES:
                logger.warning("a mail of %d bytes is put aside unread", size)
                await box.move(uid, self._settings.quarantine)
                continue
            raw = await box.fetch(uid)
            if raw is None:
                continue
            problem = await self._clerk.take(raw)
            if problem is not None:
                logger.warning("a mail is put aside: %s", problem)
            await box.move(uid, self._settings.quarantine if problem is not None else self._settings.processed)
            self._well()
