"""`with client.lease(…) as lease:`"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from hub.client.lease import Lease


class Leasing:
    """A lease from the beginning of a `with` to its end. Nothing of it can stop the body; it is told by the lease."""

    def __init__(self, acquire: Callable[[], Lease], release: Callable[[Lease], None]) -> None:
        self._acquire = acquire
        self._release = release
        self._lease: Lease | None = None

    def __enter__(self) -> Lease:
        assert self._lease is None, "a lease is entered once"
        self._lease = self._acquire()
        return self._lease

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._lease is not None
        lease, self._lease = self._lease, None
        try:
            self._release(lease)
        except Exception:
            if error is None:  # otherwise the body's own error says more
                raise
