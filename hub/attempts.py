"""What says that it may be tried again (`retry_safe: true`) is tried again inside its one run when it failed.

Only an end that was seen is tried again: what nobody saw end is UNKNOWN and stays so (P3). A stop, or a lease whose
deadline has passed, ends the waiting at once, and the last failure stands.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from core.apply.deadline import Deadline
from core.apply.watch import Stop
from hub.carrying import Result

MOST_ATTEMPTS = 4
FIRST_WAIT_SECONDS = 1.0
Draw = Callable[[], float]


def wait_before(attempt: int, draw: Draw) -> float:
    """Seconds before attempt 2, 3, …: twice as long each time, and between half and all of that."""
    return float(FIRST_WAIT_SECONDS * 2 ** (attempt - 2) * (0.5 + draw() / 2))


async def attempts(
    once: Callable[[], Awaitable[Result]],
    *,
    stop: Stop,
    deadline: Deadline,
    say: Callable[[str], None],
    draw: Draw = random.random,
) -> Result:
    """The result of the first attempt that did not fail, or of the last. `say` is told why there is another."""
    for attempt in range(1, MOST_ATTEMPTS + 1):
        result = await once()
        if result.outcome != "failed" or attempt == MOST_ATTEMPTS:
            return result
        wait = wait_before(attempt + 1, draw)
        own_line = "" if result.output.endswith("\n") or not result.output else "\n"
        why = f"attempt {attempt} of {MOST_ATTEMPTS} failed: {result.why}; it is tried again after {wait:.1f} s"
        say(f"{own_line}⟨{why}⟩\n")
        if not await _waited(wait, stop, deadline):
            return result
    raise AssertionError("the last attempt returns")


async def _waited(seconds: float, stop: Stop, deadline: Deadline) -> bool:
    """Whether it may be tried again after that long; False as soon as it was stopped or its lease may be lost."""
    if stop.is_set():
        return False
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
        return False
    except TimeoutError:
        return deadline.at is None or deadline.at > time.monotonic()
