"""Trying again inside one run: only what failed, only so often, never against a stop or a lost lease."""

from __future__ import annotations

import asyncio
import time
from typing import Literal

import pytest

from core.apply.deadline import Deadline
from hub import attempts as trying
from hub.attempts import MOST_ATTEMPTS, attempts, wait_before
from hub.carrying import Result

pytestmark = pytest.mark.anyio


def result(outcome: Literal["completed", "failed", "unknown"], output: str = "said\n") -> Result:
    return Result(outcome=outcome, exit_code=1, output=output, dropped=0, why="exit status 1")


class Script:
    """Ends as it is told, one after the other."""

    def __init__(self, *ends: Literal["completed", "failed", "unknown"]) -> None:
        self.ends = list(ends)
        self.begun = asyncio.Event()
        self.count = 0

    async def __call__(self) -> Result:
        self.count += 1
        self.begun.set()
        return result(self.ends[min(self.count, len(self.ends)) - 1], f"try {self.count}")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "FIRST_WAIT_SECONDS", 0.01)


async def carry(script: Script, deadline: Deadline | None = None) -> tuple[Result, list[str]]:
    said: list[str] = []
    end = await attempts(script, stop=asyncio.Event(), deadline=deadline or Deadline(), say=said.append)
    return end, said


async def test_a_failure_is_tried_again_and_each_time_it_is_said_why() -> None:
    script = Script("failed", "failed", "completed")
    end, said = await carry(script)
    assert (end.outcome, script.count) == ("completed", 3)
    assert end.output == "try 3"
    assert [each[: each.index(";")] for each in said] == [
        f"\n⟨attempt {attempt} of 4 failed: exit status 1" for attempt in (1, 2)
    ]


async def test_it_gives_up_after_so_many() -> None:
    script = Script("failed")
    end, _ = await carry(script)
    assert (end.outcome, script.count) == ("failed", MOST_ATTEMPTS)


async def test_what_nobody_saw_end_is_never_tried_again() -> None:
    script = Script("unknown", "completed")
    end, _ = await carry(script)
    assert (end.outcome, script.count) == ("unknown", 1)


async def test_a_stop_ends_the_waiting_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "FIRST_WAIT_SECONDS", 3600.0)
    script, stop = Script("failed", "completed"), asyncio.Event()
    task = asyncio.create_task(attempts(script, stop=stop, deadline=Deadline(), say=lambda _: None))
    await script.begun.wait()
    stop.set()
    end = await asyncio.wait_for(task, 5)
    assert (end.outcome, script.count) == ("failed", 1)


async def test_a_lease_that_may_be_lost_ends_it() -> None:
    script = Script("failed", "completed")
    end, _ = await carry(script, Deadline(time.monotonic() - 1))
    assert (end.outcome, script.count) == ("failed", 1)


def test_the_waits_double_with_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "FIRST_WAIT_SECONDS", 1.0)
    assert [wait_before(n, lambda: 1.0) for n in (2, 3, 4)] == [1.0, 2.0, 4.0]
    assert [wait_before(n, lambda: 0.0) for n in (2, 3, 4)] == [0.5, 1.0, 2.0]
