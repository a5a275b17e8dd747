"""Long-polls: look, wait for news of it, look again. News is a hint; the look is what counts, so none is missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from starlette.responses import Response

from hub.http.ask import Ask

LOOK_AGAIN_SECONDS = 5.0
"""How long no news is believed to be no change."""
MOST_SECONDS = 60.0


async def wait_for(
    ask: Ask,
    look: Callable[[], Awaitable[tuple[bool, Response]]],
    *,
    subjects: Collection[str],
    timeout: float,
    look_again_seconds: float = LOOK_AGAIN_SECONDS,
) -> Response:
    """The response of the first `look` that is done, or of the last one when the time is over or the caller gone.

    `subjects` are what entries of the log must be about to make it worth looking.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + min(timeout, MOST_SECONDS)
    feed = ask.hub.feed
    with feed.watch(*subjects) as news:
        while True:
            news.clear()
            done, response = await look()
            left = deadline - loop.time()
            gone = not ask.hub.proofs.valid(ask.caller) or await ask.request.is_disconnected()
            if done or left <= 0 or feed.closed or gone:
                return response
            try:
                async with asyncio.timeout(min(left, look_again_seconds)):
                    await news.wait()
            except TimeoutError:
                continue
