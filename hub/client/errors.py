"""Everything that can go wrong between a program and its hub, each with a stable `code` and a message for people.

InterlockError          `code`, `message`, `data`
├── Unreachable         no hub answered for as long as the client's patience lasts
├── Refused             the hub said no; `status` is the HTTP status
│   ├── Held            somebody has the resources; `held_by` says who, since when and what for
│   └── Deadlock        waiting would never end; `cycle` says why
├── WaitOver            the resources did not become free in time, or the place in the queue was taken away
├── LeaseLost           the lease ended before the work did: stop writing
├── TimedOut            a request is still open after the time that `wait` was given; it goes on
└── NotCompleted        a request that ended otherwise; `approval` is how
    ├── Rejected        people said no, or it was taken back
    ├── Expired         nobody decided, or nobody started it, in time
    ├── SentBack        it is a draft again: a check failed, or changes were asked for
    ├── Failed          it ran and failed
    ├── OutcomeUnknown  it ran and nobody knows how it ended
    └── Changed         what was approved is not what was asked for
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.client.approval import Approval


class InterlockError(Exception):
    """What every error of this package is."""

    def __init__(self, code: str, message: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data: Mapping[str, Any] = data or {}


class Unreachable(InterlockError):
    """No hub answered. Nothing is known about a request that was under way; repeating it acts once."""


class Refused(InterlockError):
    """The hub said no."""

    def __init__(self, status: int, code: str, message: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(code, message, data)
        self.status = status


class Held(Refused):
    """Somebody has the resources, and the caller did not want to wait."""

    @property
    def held_by(self) -> Sequence[Mapping[str, Any]]:
        """Who has them: `holder`, `principal`, `since`, `purpose`, `expires_at`."""
        found: Sequence[Mapping[str, Any]] = self.data.get("held_by", ())
        return found


class Deadlock(Refused):
    """The request would wait for itself."""

    @property
    def cycle(self) -> Sequence[Mapping[str, Any]]:
        """Who waits for what, step by step."""
        found: Sequence[Mapping[str, Any]] = self.data.get("cycle", ())
        return found


class WaitOver(InterlockError):
    """The resources did not become free in time, or somebody gave the place in the queue up."""


class LeaseLost(InterlockError):
    """The lease ended before the work did: somebody else may hold the resources already."""


class TimedOut(InterlockError):
    """The request is still open; it goes on without the caller."""

    def __init__(self, approval: Approval, seconds: float) -> None:
        super().__init__("timed_out", f"{approval.id} is {approval.state} after {seconds:g} s and goes on")
        self.approval = approval


class NotCompleted(InterlockError):
    """A request that ended in another state than COMPLETED."""

    def __init__(self, code: str, message: str, approval: Approval) -> None:
        super().__init__(code, message, {"approval": approval.raw})
        self.approval = approval


class Rejected(NotCompleted):
    """People said no, or it was taken back; nothing ran."""


class Expired(NotCompleted):
    """Nobody decided, or nobody started it, in time; nothing ran."""


class SentBack(NotCompleted):
    """It is a draft again, and only its requester can carry it on; nothing ran."""


class Failed(NotCompleted):
    """It ran and failed, or was rolled back."""


class OutcomeUnknown(NotCompleted):
    """It ran and nobody knows how it ended; a person has to resolve it."""


class Changed(NotCompleted):
    """It completed, but with other parameters than were asked for."""
