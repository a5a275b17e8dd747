"""The life of an approval: one literal table, the only place that knows the arrows.

A request is a DRAFT until it is handed in, SUBMITTED while it is validated and previewed, REVIEWING while
people decide, APPROVED until its run starts (which is not "done"), APPLYING while it runs. A run whose end
nobody observed is UNKNOWN until a person resolves it as what it was, an apply or a rollback. A new revision of a
request under review or approved goes back through DRAFT to SUBMITTED in one transaction, or straight back to
REVIEWING when the world moved and the new preview is at hand.
"""

from __future__ import annotations

from enum import StrEnum

from core.errors import Conflict


class State(StrEnum):
    """Where an approval stands."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    REVIEWING = "REVIEWING"
    APPROVED = "APPROVED"
    APPLYING = "APPLYING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"
    ROLLING_BACK = "ROLLING_BACK"
    ROLLED_BACK = "ROLLED_BACK"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"


S = State

ARROWS: dict[State, frozenset[State]] = {
    S.DRAFT: frozenset({S.SUBMITTED, S.WITHDRAWN}),
    S.SUBMITTED: frozenset({S.DRAFT, S.REVIEWING, S.WITHDRAWN, S.EXPIRED}),
    S.REVIEWING: frozenset({S.DRAFT, S.APPROVED, S.REJECTED, S.EXPIRED, S.WITHDRAWN}),
    S.APPROVED: frozenset({S.APPLYING, S.REVIEWING, S.REJECTED, S.WITHDRAWN, S.EXPIRED}),
    S.APPLYING: frozenset({S.COMPLETED, S.FAILED, S.UNKNOWN}),
    S.COMPLETED: frozenset({S.ROLLING_BACK}),
    S.FAILED: frozenset({S.ROLLING_BACK}),
    S.UNKNOWN: frozenset({S.COMPLETED, S.FAILED, S.ROLLING_BACK, S.ROLLED_BACK, S.ROLLBACK_FAILED}),
    S.ROLLING_BACK: frozenset({S.ROLLED_BACK, S.ROLLBACK_FAILED, S.UNKNOWN}),
    S.REJECTED: frozenset(),
    S.WITHDRAWN: frozenset(),
    S.EXPIRED: frozenset(),
    S.ROLLED_BACK: frozenset(),
    S.ROLLBACK_FAILED: frozenset(),
}

OPEN = frozenset({S.DRAFT, S.SUBMITTED, S.REVIEWING, S.APPROVED})
"""Nothing has run yet, and something still may."""

ENDED = frozenset(
    {S.COMPLETED, S.FAILED, S.UNKNOWN, S.REJECTED, S.WITHDRAWN, S.EXPIRED, S.ROLLED_BACK, S.ROLLBACK_FAILED}
)
"""Nothing happens by itself any more."""


def demand(here: State, there: State) -> None:
    """Nothing, when the arrow exists. Raises Conflict (`wrong_state`) in words otherwise."""
    if there not in ARROWS[here]:
        raise Conflict("wrong_state", f"it is {here}, so it cannot become {there}", state=str(here))
