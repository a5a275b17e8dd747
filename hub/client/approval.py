"""What the hub answers about a request: the few facts that programs act on, and all of it as `raw`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from hub.client import errors

_NOTHING_MORE = frozenset(
    {
        *("DRAFT", "COMPLETED", "FAILED", "UNKNOWN", "REJECTED", "WITHDRAWN", "EXPIRED"),
        *("ROLLED_BACK", "ROLLBACK_FAILED"),
    }
)
"""States in which nothing happens by itself any more."""

_ENDS: Mapping[str, tuple[type[errors.NotCompleted], str, str]] = {
    "REJECTED": (errors.Rejected, "rejected", "was rejected"),
    "WITHDRAWN": (errors.Rejected, "withdrawn", "was taken back"),
    "EXPIRED": (errors.Expired, "expired", "expired"),
    "DRAFT": (errors.SentBack, "sent_back", "was sent back"),
    "FAILED": (errors.Failed, "failed", "ran and failed"),
    "ROLLED_BACK": (errors.Failed, "rolled_back", "was rolled back"),
    "ROLLBACK_FAILED": (errors.Failed, "rollback_failed", "could not be rolled back"),
    "UNKNOWN": (errors.OutcomeUnknown, "outcome_unknown", "ran, and nobody knows how it ended"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One request as it was when the hub answered."""

    id: str
    state: str
    action: str
    title: str
    params: Mapping[str, Any]
    revision: int
    version: int
    digest: str | None = None
    reason: str | None = None
    why: str | None = None
    """Why it ended or was sent back, where the hub says so."""
    output: str | None = None
    """The end of what its run printed."""
    waiting_for: tuple[Mapping[str, Any], ...] = ()
    """What an approved request waits for: `resource`, `position`, `held_by`."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The whole Approval of the HTTP API."""

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """The value of an Approval JSON; what is unknown here stays in `raw`."""
        run = raw.get("run") or {}
        return cls(
            id=str(raw["id"]),
            state=str(raw["state"]),
            action=str(raw.get("action", "")),
            title=str(raw.get("title", "")),
            params=dict(raw.get("params") or {}),
            revision=int(raw.get("revision", 1)),
            version=int(raw.get("version", 0)),
            digest=raw.get("digest"),
            reason=raw.get("reason"),
            why=raw.get("why"),
            output=run.get("output_tail"),
            waiting_for=tuple(raw.get("waiting_for") or ()),
            raw=raw,
        )

    @property
    def tag(self) -> str:
        """The entity tag of this version, as `wait` takes it."""
        return f"{self.id[1:]}-{self.version}"

    @property
    def settled(self) -> bool:
        """Whether nothing happens by itself any more: it ended, or only its requester can carry it on."""
        return self.state in _NOTHING_MORE

    @property
    def completed(self) -> bool:
        """Whether it was approved and its run ended well. Approved alone is not completed."""
        return self.state == "COMPLETED"

    def demand_completed(self) -> Self:
        """Itself, when it completed. Raises the NotCompleted of its state."""
        if self.completed:
            return self
        kind, code, words = _ENDS.get(self.state, (errors.NotCompleted, "not_completed", f"is {self.state}"))
        why = f": {self.why}" if self.why else ""
        raise kind(code, f"{self.id} {words}{why}", self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to a typed command; a refusal is one too."""

    ok: bool
    text: str
    code: str | None = None
    approval: Approval | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """The value of a Reply JSON."""
        approval = raw.get("approval")
        return cls(
            ok=bool(raw.get("ok")),
            text=str(raw.get("text", "")),
            code=raw.get("code"),
            approval=Approval.of(approval) if approval else None,
            data=raw,
        )
