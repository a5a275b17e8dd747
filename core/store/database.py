"""The database as the rest of Interlock sees it: `write` a function, `read` with a function."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Concatenate, ParamSpec, TypeVar

from core.audit.log import Committed, LogHead
from core.errors import Refusal
from core.store.engine import Engine
from core.store.job import Job, answer_all
from core.store.rows import Reader
from core.store.tx import Tx
from core.store.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")

_READERS = 3

logger = logging.getLogger("interlock.writer")


class Database:
    """One writer and a few readers over an engine. Use as `async with Database(...)` or call `open` and `close`."""

    def __init__(
        self,
        engine: Engine,
        *,
        on_committed: Callable[[list[Committed]], object] = lambda entries: None,
        on_lost: Callable[[BaseException], object] = lambda error: None,
    ) -> None:
        self._engine = engine
        self.log = LogHead.load(engine)
        self.on_committed = on_committed
        self.writer = Writer(engine, self.log, publish=self._publish, on_lost=on_lost)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readers = concurrent.futures.ThreadPoolExecutor(_READERS, thread_name_prefix="interlock-reader")
        self._local = threading.local()
        self._opened: list[Any] = []

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect

    def now_us(self) -> int:
        """About the store's time, for deciding when to look again; guards use the transaction's own."""
        return self._engine.now_us()

    def open(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Start the writer; news of commits is given on `loop`, or on the writer's thread without one."""
        self._loop = loop
        self.writer.start()

    def _publish(self, committed: list[Committed], callbacks: list[Callable[[], object]], done: list[Job]) -> None:
        """Everybody was told of the batch, and then its callers are answered; on the loop in one hop.

        So whoever was answered and whoever was woken by the news ask for the next thing together, in one batch.
        """
        if self._loop is None:
            self._announce(committed, callbacks)
            answer_all(done)
            return
        here = [job for job in done if job.loop is self._loop]
        with suppress(RuntimeError):  # the loop has closed: nobody listens there any more
            self._loop.call_soon_threadsafe(self._tell, committed, callbacks, here)
        if len(here) < len(done):
            answer_all([job for job in done if job.loop is not self._loop])

    def _tell(self, committed: list[Committed], callbacks: list[Callable[[], object]], done: list[Job]) -> None:
        self._announce(committed, callbacks)
        for job in done:
            job.answer()

    def _announce(self, committed: list[Committed], callbacks: list[Callable[[], object]]) -> None:
        """Everybody was told. What a listener makes of it is its own affair and never the writer's."""
        told: list[Callable[[], object]] = [lambda: self.on_committed(committed)] if committed else []
        for tell in told + callbacks:
            try:
                tell()
            except Exception:
                logger.exception("a listener to commits failed")

    def close(self) -> None:
        """Finish what is queued and close every connection."""
        self.writer.stop()
        self._readers.shutdown(wait=True)
        for reader in self._opened:
            reader.close()

    def discard(self) -> None:
        """Close a database that was never opened."""
        self._engine.close()
        self._readers.shutdown(wait=False)

    async def __aenter__(self) -> Database:
        self.open(asyncio.get_running_loop())
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.to_thread(self.close)

    def write(
        self,
        fn: Callable[..., T],
        *args: Any,
        locks: tuple[str, ...] = (),
        urgent: bool = False,
        refused: Callable[[Tx, Refusal], Any] | None = None,
    ) -> asyncio.Future[T]:
        """Run `fn(tx, *args)` in the writer; the future holds its result once it is durable.

        A Refusal undoes its changes; with `refused` the result is what `refused(tx, refusal)` returns, in the
        same commit, otherwise the Refusal is raised. StoreError means that nothing happened.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self.writer.submit(Job(fn, args, locks=locks, urgent=urgent, refused=refused, loop=loop, future=future))
        return future

    def write_now(self, fn: Callable[..., T], *args: Any, locks: tuple[str, ...] = (), urgent: bool = False) -> T:
        """`write` for a thread that has no event loop: the CLI, migrations, tests."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self.writer.submit(Job(fn, args, locks=locks, urgent=urgent, refused=None, loop=None, future=future))
        return future.result()

    async def read(self, fn: Callable[Concatenate[Reader, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn(reader, *args)` on a read-only connection, off the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: fn(self._reader(), *args, **kwargs))

    def read_now(self, fn: Callable[Concatenate[Reader, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`read` on the calling thread."""
        return fn(self._reader(), *args, **kwargs)

    def _reader(self) -> Reader:
        reader: Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._engine.reader()
            self._local.reader = reader
            self._opened.append(reader)
        return reader
