"""The moment at which a run must be dead, moved by heartbeats."""

from __future__ import annotations

import asyncio


class Deadline:
    """A moment in seconds of `time.monotonic`; None means that there is none. Used from one event loop."""

    def __init__(self, at: float | None = None) -> None:
        self.at = at
        self._moved = asyncio.Event()

    def move(self, at: float | None) -> None:
        """The run must be dead by `at` and no longer by what was said before."""
        self.at = at
        self._moved.set()

    async def moved(self) -> float | None:
        """The moment, as soon as it was moved since the last call."""
        await self._moved.wait()
        self._moved.clear()
        return self.at
