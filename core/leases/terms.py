"""The numbers of leases: bounds, ranks and limits, the same for every store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from core.clock import SECOND, to_us
from core.errors import Invalid

LEASE_LOCKS = ("lease:0",)
"""The lock keys of every write that touches leases: on PostgreSQL they make the shard's operations serial."""

MIN_TTL_SECONDS = 1.0
MAX_TTL_SECONDS = 86_400.0
MAX_HOLD_SECONDS = 3_600.0
"""How long renewals can stretch a lease, unless the request says otherwise."""
MAX_LOCK_DELAY_SECONDS = 60.0
"""How long at most nobody gets the resources of a lease that lapsed."""
MAX_WAIT_SECONDS = 30 * 86_400.0

PLACE_US = 30 * SECOND
"""A waiter's place lapses when nobody asked for it for this long, or for its ttl where that is longer."""
SAMPLE_US = 600 * SECOND
"""At most one `lease:renewed` a lease in this time."""
KEEP_ENDED_US = 30 * 86_400 * SECOND
"""How long an ended lease still answers for its id, ticket and request key."""
SILENT = 2 / 3
"""After so much of its ttl without a heartbeat two of them did not come: clients send one in each third."""
MAX_HOPS = 128
"""How many requests the deadlock search looks at before it gives up."""
TICK = 10
"""How many lapsed leases one transaction hands on at most, so that it stays well under 5 ms on a quiet machine."""
MAX_BATCH = 200
"""How many leases one batch heartbeat renews."""
IN_THE_WAY = 50
"""How many of those in the way one look fetches, and how many lapsed ones one grant reclaims."""

PACE_WEIGHT = 8
"""One hold moves the average of its kind by an eighth of the distance."""

BELIEVABLE_US = to_us(datetime(2046, 11, 21, tzinfo=UTC))
"""Twenty years after this version was built: a clock beyond it is broken and not used for tokens."""

ARRIVAL_STEP = 1 << 16
"""How far two arrivals lie apart, so that a waiter can be moved in between."""
AGE_US = 60 * SECOND
"""After each such time of waiting a plain request's class is better by one, up to that of the highest priority."""

UPGRADE = -1
"""The class of a shared lease that waits to be exclusive: everybody else there waits for it anyway."""
RUN = 0
"""The class of runs of approved requests: before every plain lease."""
PLAIN = 100
"""The class of a plain lease of priority 0."""
MAX_PRIORITY = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLimits:
    """How much one principal may have at once, and how long a queue may be. Runs of approved requests always get in."""

    leases: int = 50
    tickets: int = 50
    tickets_a_resource: int = 5
    queue: int = 1_000
    """How many may stand before whoever joins a queue."""


LIMITS = LeaseLimits()


def class_of(priority: int) -> int:
    """The class of a plain lease of that priority; above 0 needs the right `override`, which the caller checks."""
    if not 0 <= priority <= MAX_PRIORITY:
        raise Invalid("bad_priority", f"a priority is between 0 and {MAX_PRIORITY}, not {priority}")
    return PLAIN - priority


def ages_at(rank_class: int, since_us: int) -> int | None:
    """When a waiter of that class, which it has since then, gets a better one; None for one that does not age."""
    return since_us + AGE_US if PLAIN - MAX_PRIORITY < rank_class <= PLAIN else None


def place_us(ttl_us: int) -> int:
    """How long a waiter keeps its place unasked, in microseconds."""
    return max(ttl_us, PLACE_US)


def arrival_of(number: int) -> int:
    """When the request of that number came, among all: its place among those of its class, until it is moved."""
    return number * ARRIVAL_STEP


def next_token(last: int, now_us: int) -> int:
    """The token after `last`: the store's time where that is higher and believable, otherwise one more."""
    return max(last + 1, now_us) if now_us < BELIEVABLE_US else last + 1


def mixed(average_us: int | None, held_us: int) -> int:
    """The average hold after one more; the first one is the average."""
    return held_us if average_us is None else (average_us * (PACE_WEIGHT - 1) + held_us) // PACE_WEIGHT
