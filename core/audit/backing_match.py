"""What approvals rest on beside decisions, by the log and by the tables: grants, their uses, break-glass, reviews owed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from core.store import schema
from core.store.rows import Reader, Row
from core.store.statement import Statement

_SENT_BACK = frozenset({"approval:reopened", "approval:revised", "approval:drafted"})
_NEVER_RAN = _SENT_BACK | {"approval:rejected", "approval:withdrawn", "approval:expired"}

_A = schema.approval.c
_GRANTS = Statement(select(schema.grant))
_USES = Statement(select(schema.grant_use))
_REVIEWS = Statement(select(schema.owed_review))
_APPROVALS = Statement(select(_A.id, _A.by_grant, _A.glass))

Values = Mapping[str, Any]


@dataclass(slots=True)
class ToldBacking:
    """What the log says so far; each maps an id to what the tables must hold."""

    grants: dict[str, tuple[str, str, int, int, int, bool]] = field(default_factory=dict)
    """Grant -> chosen on, terms, until, times, used, in force."""
    uses: dict[str, str] = field(default_factory=dict)
    """`G2, use 1` -> the approval and revision that used it."""
    by_grant: dict[str, str] = field(default_factory=dict)
    glass: dict[str, str] = field(default_factory=dict)
    """Approval -> who breaks the glass for it."""
    reviews: dict[str, tuple[int, str | None, str | None]] = field(default_factory=dict)
    """Approval that ran by break-glass -> when its review is due, and what was said by whom."""

    def hear(self, event: str, actor: str, subject: str, details: Mapping[str, Any]) -> None:
        """Take one entry into account."""
        if event.startswith("grant:"):
            self._hear_grant(event, subject, details)
        elif event == "approval:approved":
            self._hear_approved(subject, details)
        elif event == "approval:requested" and details.get("glass"):
            self.glass[subject] = actor
        elif event == "approval:decided" and details.get("glass"):
            self.reviews[subject] = self.reviews[subject][0], details["verdict"], actor
        if event in _SENT_BACK:
            self.by_grant.pop(subject, None)
            self.glass.pop(subject, None)
        if event in _NEVER_RAN:
            self.reviews.pop(subject, None)

    def _hear_approved(self, subject: str, details: Mapping[str, Any]) -> None:
        if details.get("glass"):
            self.reviews[subject] = details["review_due_at"], None, None
        grant = details.get("ground", {}).get("grant")
        if grant is not None:
            self.by_grant[subject] = grant

    def _hear_grant(self, event: str, subject: str, details: Mapping[str, Any]) -> None:
        if event == "grant:created":
            bounds = details["terms"], details["until"], details["times"]
            self.grants[subject] = (details["chosen_on"], *bounds, 0, True)
        elif event == "grant:used":
            known = self.grants[subject]
            self.grants[subject] = (*known[:4], details["use"], known[5])
            self.uses[f"{subject}, use {details['use']}"] = f"{details['approval']} revision {details['revision']}"
        elif event == "grant:ended":
            self.grants[subject] = (*self.grants[subject][:5], False)

    def pairs(self, reader: Reader) -> Iterator[tuple[str, Values, Values]]:
        """`(what, as told, as stored)` of each kind."""
        rows = reader.all(_APPROVALS)
        yield "grant", self.grants, dict(_grant(row) for row in reader.all(_GRANTS))
        yield "grant", self.uses, dict(_use(row) for row in reader.all(_USES))
        stored = {f"A{row['id']}": f"G{row['by_grant']}" for row in rows if row["by_grant"] is not None}
        yield "approval by grant of", self.by_grant, stored
        yield "break-glass of", dict.fromkeys(self.glass, True), {f"A{row['id']}": True for row in rows if row["glass"]}
        yield "review of", self.reviews, dict(_review(row) for row in reader.all(_REVIEWS))


def again(chosen: Mapping[str, Any] | None) -> str:
    """The grant that a decision chose, in words; empty for none."""
    return f"again for {chosen['seconds']} s, {chosen['times']} times" if chosen else ""


def chosen_in(row: Row) -> str:
    """The same of a stored decision."""
    times = row["grant_times"]
    return again({"seconds": row["grant_seconds"], "times": times} if times is not None else None)


def _grant(row: Row) -> tuple[str, tuple[str, str, int, int, int, bool]]:
    bounds = row["terms"], row["until"], row["times"], row["used"]
    return f"G{row['id']}", (f"A{row['approval']}", *bounds, row["ended_at"] is None)


def _use(row: Row) -> tuple[str, str]:
    return f"G{row['grant']}, use {row['number']}", f"A{row['approval']} revision {row['revision']}"


def _review(row: Row) -> tuple[str, tuple[int, str | None, str | None]]:
    return f"A{row['approval']}", (row["due_at"], row["verdict"], row["reviewed_by"])
