"""One function on its way through the writer, and its answer on the way back."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from core.errors import Refusal
from core.store.tx import Tx


class Job:
    """A function with its arguments, what to do when it refuses, and who waits for it."""

    __slots__ = ("args", "error", "fn", "future", "locks", "loop", "refused", "result", "urgent")

    def __init__(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        *,
        locks: tuple[str, ...],
        urgent: bool,
        refused: Callable[[Tx, Refusal], Any] | None,
        loop: asyncio.AbstractEventLoop | None,
        future: asyncio.Future[Any] | concurrent.futures.Future[Any],
    ) -> None:
        self.fn = fn
        self.args = args
        self.locks = locks
        self.urgent = urgent
        self.refused = refused
        self.loop = loop
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None

    def answer(self) -> None:
        """Hand the result or the error to who waits; on the loop's thread when there is a loop."""
        if self.future.done():  # the caller went away; the effect stands
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


def answer_all(jobs: list[Job]) -> None:
    """Answer every job of a batch on its own loop, with one hop a loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        if job.loop is None:
            job.answer()
        else:
            by_loop.setdefault(job.loop, []).append(job)
    for loop, mine in by_loop.items():
        with suppress(RuntimeError):  # the loop has closed: nobody waits there any more
            loop.call_soon_threadsafe(_answer, mine)


def _answer(jobs: list[Job]) -> None:
    for job in jobs:
        job.answer()
