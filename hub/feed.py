"""The log as it grows, for whoever follows it: SSE, WebSocket, long-polls, and the hub's own listeners.

A subscriber is a place in the log, not a queue: it takes the next entries from a ring of recent ones that all
share, or from the database when it is further behind. So memory does not grow with slow readers. One that was up
to date and then falls `limit` entries behind is dropped (Unavailable `too_slow`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from itertools import islice

from sqlalchemy import bindparam, select

from core.audit.canonical import parse
from core.audit.entry import decode
from core.audit.log import Committed
from core.errors import Unavailable
from core.store import schema
from core.store.database import Database
from core.store.rows import Reader
from core.store.statement import Statement

RECENT = 4_096
"""Entries that the ring keeps."""
BEHIND = 8_192
"""How far a reader that was up to date may fall behind."""
PAGE = 500

_LOG, _VALUES = schema.log, schema.log_value
_PAGE = Statement(
    select(_LOG.c.seq, _LOG.c.entry)
    .where(_LOG.c.seq > bindparam("after"))
    .order_by(_LOG.c.seq)
    .limit(bindparam("count", type_=_LOG.c.seq.type))
)
_PRIVATE = Statement(
    select(_VALUES.c.seq, _VALUES.c.field, _VALUES.c.value).where(
        _VALUES.c.seq > bindparam("after"), _VALUES.c.seq <= bindparam("last")
    )
)

Listener = Callable[[list[Committed]], object]


def read_after(reader: Reader, after: int, count: int = PAGE) -> list[Committed]:
    """The `count` entries that follow seq `after`, with the private values that were not erased."""
    rows = reader.all(_PAGE, after=after, count=count)
    if not rows:
        return []
    private: dict[int, dict[str, object]] = {}
    for value in reader.all(_PRIVATE, after=after, last=rows[-1]["seq"]):
        private.setdefault(value["seq"], {})[value["field"]] = parse(bytes(value["value"]))
    return [_committed(bytes(row["entry"]), private.get(row["seq"], {})) for row in rows]


def _committed(stored: bytes, private: dict[str, object]) -> Committed:
    entry = decode(stored)
    return Committed(
        seq=entry.seq,
        ts=entry.ts,
        event=entry.event,
        actor=entry.actor,
        subject=entry.subject,
        channel=entry.channel,
        details=entry.details,
        private=private,
    )


class Feed:
    """Everything committed, in order. `publish` and every other method belong to the event loop's thread."""

    def __init__(self, db: Database, *, recent: int = RECENT) -> None:
        self._db = db
        self._ring: deque[Committed] = deque(maxlen=recent)
        self._head = db.log.size
        self._news = asyncio.Event()
        self._listeners: list[Listener] = []
        self._watched: dict[str, set[asyncio.Event]] = {}
        self._closed = False
        self.subscribers = 0
        """How many follow now."""

    @property
    def head(self) -> int:
        """The seq of the newest entry that was published here."""
        return self._head

    def publish(self, entries: list[Committed]) -> None:
        """Take a commit's entries in; the listeners are called, and whoever waits is woken."""
        if not entries:
            return
        if entries[0].seq != self._head + 1:  # another node's entries lie between: readers find them in the database
            self._ring.clear()
        self._ring.extend(entries)
        self._head = entries[-1].seq
        for listener in self._listeners:
            listener(entries)
        if self._watched:
            for entry in entries:
                for event in self._watched.get(entry.subject or "", ()):
                    event.set()
        news, self._news = self._news, asyncio.Event()
        news.set()

    def close(self) -> None:
        """End every subscription and wake every watcher: the hub stops."""
        self._closed = True
        self._news.set()
        for events in self._watched.values():
            for event in events:
                event.set()

    @property
    def closed(self) -> bool:
        """Whether nothing follows any more."""
        return self._closed

    def listen(self, listener: Listener) -> None:
        """Call `listener` with each commit's entries, before anybody else reads them. It must be quick."""
        self._listeners.append(listener)

    @contextmanager
    def watch(self, *subjects: str) -> Iterator[asyncio.Event]:
        """An event that is set by each entry about one of `subjects` (`A142`); clear it, look, then wait."""
        event = asyncio.Event()
        for subject in subjects:
            self._watched.setdefault(subject, set()).add(event)
        try:
            yield event
        finally:
            for subject in subjects:
                self._watched[subject].discard(event)
                if not self._watched[subject]:
                    del self._watched[subject]

    async def subscribe(
        self,
        after: int | None = None,
        events: frozenset[str] | None = None,
        *,
        limit: int = BEHIND,
    ) -> AsyncGenerator[Committed, None]:
        """Every entry after seq `after` (None: from now on), then each new one as it commits; no gap, no repeat.

        `events` narrows to those names. Ends only with the feed. Raises Unavailable (`too_slow`) into a reader that
        was up to date and fell more than `limit` entries behind.
        """
        at = self._head if after is None else after
        caught_up = after is None
        self.subscribers += 1
        try:
            while not self._closed:
                news = self._news
                if at >= self._head:
                    caught_up = True
                    await news.wait()
                    continue
                if caught_up and self._head - at > limit:
                    raise Unavailable(
                        "too_slow",
                        "you read more slowly than the log grows; come back with the last seq",
                    )
                for entry in await self._next(at):
                    at = entry.seq
                    if events is None or entry.event in events:
                        yield entry
        finally:
            self.subscribers -= 1

    async def _next(self, after: int) -> list[Committed]:
        """Some of the entries after `after`, at least one; from the ring when it reaches back so far."""
        if self._ring and self._ring[0].seq <= after + 1:
            start = after + 1 - self._ring[0].seq
            return list(islice(self._ring, start, start + PAGE))
        return await self._db.read(read_after, after)
