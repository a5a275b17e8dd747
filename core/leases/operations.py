"""What can be asked of the rules, and what they answer. `Acquire` (see request.py) is an operation too."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.leases.request import Acquire, LeaseKind, Mode
from core.leases.terms import TICK


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A lease, or a place in the queue, by its number."""

    number: int
    state: str
    """`waiting`, `held`, `closed` or `ended`."""
    resources: tuple[str, ...]
    mode: Mode
    principal: str
    holder: str | None
    """None: its own holder."""
    rank: tuple[int, int]
    ttl_us: int
    max_hold_us: int
    lock_delay_us: int = 0
    key: str | None = None
    kind: LeaseKind = "lease"
    approved: bool = False
    replaces: int | None = None
    """The lease in whose place it was granted, or waits to be."""
    upgrade: int | None = None
    """The place that waits to replace it."""
    ended: str | None = None
    wait_until: int = 0
    """0 for a request that never had to wait."""
    token: int | None = None
    acquired_at: int = 0
    noted_at: int = 0
    expires_at: int | None = None
    ages_at: int | None = None

    @property
    def free_at(self) -> int | None:
        """When others can have its resources once it lapsed; None while closed."""
        if self.expires_at is None or self.token is None:
            return self.expires_at
        return self.expires_at + self.lock_delay_us

    @property
    def who(self) -> tuple[str, str]:
        """The holder, by the principal that named it."""
        return self.principal, self.holder or f"L{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that the rules know: entries by number, and the two counters that only grow."""

    entries: dict[int, Entry] = field(default_factory=dict)
    last_token: int = 0
    last_number: int = 0
    pace: dict[str, int] = field(default_factory=dict)
    """Kind of resource -> how long it is held lately where somebody waits, in microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    principal: str
    number: int
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    principal: str
    number: int
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Convert:
    principal: str
    number: int
    token: int
    mode: Mode
    wait_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    actor: str
    number: int
    to: str
    token: int
    holder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extend:
    principal: str
    number: int
    by_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    principal: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    principal: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen:
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRun:
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    limit: int = TICK


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgive:
    stalled_us: int


Operation = (
    Acquire
    | Heartbeat
    | Release
    | Convert
    | Transfer
    | Extend
    | Break
    | Poll
    | Cancel
    | Close
    | Reopen
    | EndRun
    | Tick
    | Forgive
)

Event = tuple[str, int]
"""The name of a log event, and the number of the lease that it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`code` is `ok` or the refusal's code; the rest is what the operation answers with."""

    code: str = "ok"
    entry: Entry | None = None
    position: int = 0
    expected_us: int | None = None
    held_by: tuple[int, ...] = ()
    deadline: int | None = None
    done: bool | None = None
