"""What can be asked of the rules, and what they answer. `Acquire` (see request.py) is an operation too."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.leases.request import Acquire, Mode


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
    key: str | None = None
    ended: str | None = None
    wait_until: int = 0
    """0 for a request that never had to wait."""
    token: int | None = None
    acquired_at: int = 0
    noted_at: int = 0
    expires_at: int | None = None

    @property
    def who(self) -> tuple[str, str]:
        """The holder, by the principal that named it."""
        return self.principal, self.holder or f"L{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that the rules know: entries by number, and the two counters that only grow."""

    entries: dict[int, Entry] = field(default_factory=dict)
    last_token: int = 0
    arrivals: int = 0
    last_number: int = 0


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
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgive:
    stalled_us: int


Operation = Acquire | Heartbeat | Release | Break | Poll | Cancel | Close | Reopen | EndRun | Tick | Forgive

Event = tuple[str, int]
"""The name of a log event, and the number of the lease that it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`code` is `ok` or the refusal's code; the rest is what the operation answers with."""

    code: str = "ok"
    entry: Entry | None = None
    position: int = 0
    held_by: tuple[int, ...] = ()
    deadline: int | None = None
    done: bool | None = None
