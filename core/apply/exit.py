"""How a command ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["exited", "signalled", "timed_out", "stopped", "lease_lost", "lost"]
"""`exited` and `signalled` were observed; `lost` means that the keeper died and nobody saw the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a command ended, and what it printed."""

    status: Status
    exit_code: int | None
    """As the command gave it, also when it had been told to end; None when a signal ended it or nobody saw."""
    signal: int | None
    wholly_reaped: bool
    """Whether it is proved that no process of the command is left."""
    leftovers: int
    """Processes that the command left behind when it ended, and that were killed."""
    output: str
    output_sha256: str
    """Of the whole output, secrets replaced, also of what the limit cut."""
    truncated_bytes: int
    started_at: int
    ended_at: int
    """Microseconds since 1970."""
