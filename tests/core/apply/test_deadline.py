"""A deadline that moves wakes whoever waits, once for each time somebody looked away."""

from __future__ import annotations

import asyncio

import pytest

from core.apply.deadline import Deadline

pytestmark = pytest.mark.anyio


async def test_a_move_wakes_the_watcher_with_the_latest_moment() -> None:
    deadline = Deadline(1.0)
    deadline.move(2.0)
    deadline.move(3.0)
    assert await deadline.moved() == 3.0
    waiting = asyncio.create_task(deadline.moved())
    await asyncio.sleep(0)
    assert not waiting.done()
    deadline.move(None)
    assert await waiting is None
    assert deadline.at is None
