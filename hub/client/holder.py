"""Who asks for a lease: a random name for each thread and each task, by which the hub finds deadlocks.

Not one for the whole process: two tasks of one process may well wait for each other, and one that waits for another
is no deadlock.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from weakref import WeakKeyDictionary


class Holders:
    """The names that one client's threads and tasks go by."""

    def __init__(self) -> None:
        self._of_thread = threading.local()
        self._of_task: WeakKeyDictionary[asyncio.Task[object], str] = WeakKeyDictionary()

    def of_thread(self) -> str:
        """The name of this thread, the same each time."""
        name: str | None = getattr(self._of_thread, "name", None)
        if name is None:
            name = self._of_thread.name = secrets.token_hex(8)
        return name

    def of_task(self) -> str:
        """The name of the running task, the same each time."""
        task = asyncio.current_task()
        assert task is not None
        return self._of_task.setdefault(task, secrets.token_hex(8))
