"""Every refusal that Interlock gives, each with a stable code.

    Refusal                 an answer, not an accident: recorded and shown to the asker
    ├── Invalid             what was sent cannot be understood or accepted
    │   └── TooLarge        it is bigger than the bound
    ├── Unproven            nobody proved who is asking
    ├── Forbidden           the asker is known and may not
    ├── NotFound            no such thing, or none that the asker may see
    ├── Conflict            the state of the world does not allow it now
    │   └── Stale           the caller looked at an older version
    ├── TooFast             asked more often than the limits allow
    └── Unavailable         the hub cannot do it now and says when to come back
    StoreError              the database failed; nothing was changed, the same call may be made again
    └── StoreLost           the database can no longer be trusted; the process ends

A `Refusal` raised inside a write undoes that write's changes and is appended to the log when its
sender was proved. Messages are written for the person who reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """An answer of no: `code` is stable, `data` goes into the answer beside the message."""

    def __init__(self, code: str, message: str, **data: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data: Mapping[str, Any] = data


class Invalid(Refusal):
    """What was sent cannot be understood or accepted."""


class TooLarge(Invalid):
    """What was sent is bigger than the bound."""


class Unproven(Refusal):
    """Nobody proved who is asking."""


class Forbidden(Refusal):
    """The asker is known and may not."""


class NotFound(Refusal):
    """There is no such thing, or none that the asker may see."""


class Conflict(Refusal):
    """The state of the world does not allow it now."""


class Stale(Conflict):
    """The caller looked at an older version than the one in force."""


class TooFast(Refusal):
    """The asker goes beyond a limit; `retry_after_seconds` is in `data`."""


class Unavailable(Refusal):
    """The hub cannot do it now."""


class StoreError(Exception):
    """The database failed; nothing of the write happened."""


class StoreLost(StoreError):
    """The database can no longer be trusted; the process must end."""
