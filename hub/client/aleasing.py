"""`async with client.lease(…) as lease:`"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

from hub.client.lease import Lease


class AsyncLease:
    """A granted lease, as a task holds it."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self.lock_id = lease.lock_id
        self.token = lease.token
        """The fencing token: send it with every write, and let what is written to refuse a lower one."""
        self.resources = lease.resources
        self.environ = lease.environ
        """What a command that runs under the lease finds in its environment."""
        self.lost = asyncio.Event()
        """Set once it is lost."""

    @property
    def remaining(self) -> float:
        """Seconds for which it may be relied on without another heartbeat; 0 once it is lost or given back."""
        return self._lease.remaining

    def check(self) -> None:
        """Nothing, while it is held. Raises LeaseLost. Call it before each step that cannot be undone."""
        self._lease.check()


class AsyncLeasing:
    """A lease from the beginning of an `async with` to its end; the body is cancelled when the lease is lost."""

    def __init__(
        self,
        acquire: Callable[[], Awaitable[Lease]],
        release: Callable[[Lease], Awaitable[None]],
        *,
        cancel: bool,
    ) -> None:
        self._acquire = acquire
        self._release = release
        self._cancel = cancel
        self._lease: Lease | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._cancelled = False

    async def __aenter__(self) -> AsyncLease:
        assert self._lease is None, "a lease is entered once"
        lease = self._lease = await self._acquire()
        self._task = asyncio.current_task()
        assert self._task is not None
        self._cancelling = self._task.cancelling()
        shown = AsyncLease(lease)
        loop = asyncio.get_running_loop()

        def lost() -> None:
            shown.lost.set()
            self._stop()

        def tell() -> None:
            try:
                loop.call_soon_threadsafe(lost)
            except RuntimeError:  # the loop is closed, and with it everybody who could be told
                pass

        lease.when_lost(tell)
        return shown

    def _stop(self) -> None:
        """The body is cancelled, if it still goes on."""
        if self._cancel and self._lease is not None and self._task is not None:
            self._cancelled = True
            self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._lease is not None and self._task is not None
        lease, self._lease = self._lease, None
        # As asyncio.timeout does it: only a cancellation that was ours alone becomes our error.
        ours = self._cancelled and self._task.uncancel() <= self._cancelling
        try:
            await self._release(lease)
        except Exception:
            if error is None or (ours and isinstance(error, asyncio.CancelledError)):
                raise
