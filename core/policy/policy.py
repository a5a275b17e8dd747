"""What a policy says: who must agree, how strongly proved, and by when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.people.assurance import Assurance


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """`count` people of `group`, or the one `person`. Exactly one of group and person is given."""

    group: str | None = None
    person: str | None = None
    count: int = 1

    @property
    def label(self) -> str:
        """How it is named to people: `2 of sre`, `ana`."""
        return f"{self.count} of {self.group}" if self.group else str(self.person)


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """Whom to ask as well when nobody has decided for a while; it adds no seat."""

    after_seconds: float
    to: str
    """A group or a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When people are expected to decide, in one time zone."""

    days: frozenset[int]
    """0 is Monday, as `datetime.weekday` counts."""
    begin_minute: int
    end_minute: int
    """Minutes since midnight; 1440 is the next midnight."""
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantBounds:
    """How far "approve, and allow the same again" may go."""

    longest_seconds: float = 8 * 3600.0
    times: int = 20
    """How often at most; 0 for never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """Who may run it at once, with nobody asked, and owes a review afterwards."""

    groups: tuple[str, ...]
    review_seconds: float = 24 * 3600.0
    through_freeze: bool = False
    """Whether it also goes through a freeze, which is then recorded as overridden."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rule in force for a request: the first whose `when` is true."""

    name: str
    when: str | None = None
    """CEL over action, params, requester, channel, assurance, resources, now; None is always true."""
    require: tuple[Requirement, ...] = ()
    allow: bool = False
    """True: approved at once, with nobody asked; marked wherever it is shown."""
    distinct_people: int | None = None
    min_assurance: Assurance = Assurance.CHAT
    confirm: Literal["press", "typed"] = "press"
    """`typed`: who approves types the request's id as well."""
    review_seconds: float = 4 * 3600.0
    apply_seconds: float = 3600.0
    delegation: Literal["any", "members", "none"] = "any"
    rollback: Literal["policy", "allow"] = "policy"
    reject: int = 1
    """How many of those who could approve must reject to end it."""
    veto: tuple[str, ...] = ()
    """Groups whose every member may reject alone, though they fill no seat."""
    remind_seconds: float | None = None
    """After what time those who have not decided are asked again; then at twice the time. None: never."""
    short_replies: bool = False
    """Whether `yes` and `no` by mail decide."""
    hours: Hours | None = None
    """The hours that its clocks count; None: every hour."""
    break_glass: BreakGlass | None = None
    grants: GrantBounds = GrantBounds()
    escalate: tuple[Escalation, ...] = ()
    ask: tuple[str, ...] = ()
    canonical: str = ""
    """Canonical JSON of the policy as configured: what the digest binds."""
