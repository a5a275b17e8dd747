"""What a verification found, as a value and as lines for a person."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

PER_KIND = 100
"""Findings of one kind that are told one by one; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong. `kind` is stable; docs/log.md lists the kinds."""

    kind: str
    seq: int | None
    message: str


class Findings:
    """Collects findings, at most `PER_KIND` of a kind."""

    def __init__(self) -> None:
        self._found: list[Finding] = []
        self._count: Counter[str] = Counter()

    def add(self, kind: str, seq: int | None, message: str) -> None:
        self._count[kind] += 1
        if self._count[kind] <= PER_KIND:
            self._found.append(Finding(kind=kind, seq=seq, message=message))

    def all(self) -> tuple[Finding, ...]:
        """What was found, with a last word for each kind of which more was found than is told."""
        more = (
            Finding(kind=kind, seq=None, message=f"and {count - PER_KIND:,} more of this kind")
            for kind, count in self._count.items()
            if count > PER_KIND
        )
        return (*self._found, *more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a log is intact, and how far anybody else could know it."""

    findings: tuple[Finding, ...]
    losses: tuple[Finding, ...] = ()
    """Entries that a restore, in a statement signed by the log's key, says are gone: told, not held against it."""
    origin: str | None
    size: int
    root: bytes | None
    """The root over all entries; None when entries are missing."""
    anchored_size: int = 0
    """The largest checkpoint held outside that the log agrees with."""
    checkpoints: int = 0
    """How many signed checkpoints the log agrees with, inside and outside."""
    values_checked: bool = True

    @property
    def intact(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def anchored(self) -> bool:
        """Whether a checkpoint held outside agrees; without one the log is only consistent with itself."""
        return self.anchored_size > 0

    def lines(self) -> list[str]:
        """The verdict for a person, most important first."""
        return [self._headline(), *self._told(self.findings), *self._told(self.losses), *self._reach()]

    def to_json(self) -> dict[str, Any]:
        """The verdict for a program."""
        return {
            "intact": self.intact,
            "anchored": self.anchored,
            "anchored_size": self.anchored_size,
            "origin": self.origin,
            "size": self.size,
            "root": None if self.root is None else self.root.hex(),
            "checkpoints": self.checkpoints,
            "values_checked": self.values_checked,
            "findings": [_to_json(finding) for finding in self.findings],
            "losses": [_to_json(loss) for loss in self.losses],
        }

    def _headline(self) -> str:
        root = "unknown" if self.root is None else self.root.hex()
        facts = f"{self.size:,} entries, {self.checkpoints:,} signed checkpoints, root {root}"
        if self.intact:
            return f"The log is intact: {facts}."
        return f"THE LOG IS NOT INTACT: {len(self.findings):,} findings in {facts}."

    def _reach(self) -> list[str]:
        lines = []
        if not self.anchored:
            lines.append(
                "It is consistent with itself only: no checkpoint held elsewhere agrees with it or none was given, "
                "and whoever holds the data directory could have rewritten all of it."
                if self.intact
                else "No checkpoint held elsewhere agrees with it, or none was given."
            )
        elif self.anchored_size < self.size:
            lines.append(
                f"Checkpoints held outside prove the entries up to {self.anchored_size:,}; "
                f"the {self.size - self.anchored_size:,} after that are consistent with themselves only."
            )
        else:
            lines.append(f"Checkpoints held outside prove all {self.anchored_size:,} entries.")
        if not self.values_checked:
            lines.append("Private values were not checked against their commitments.")
        return lines

    @staticmethod
    def _told(findings: tuple[Finding, ...]) -> list[str]:
        return [
            f"  {finding.kind}: {finding.message}"
            if finding.seq is None
            else f"  {finding.kind}: entry {finding.seq}: {finding.message}"
            for finding in findings
        ]


def _to_json(finding: Finding) -> dict[str, Any]:
    return {"kind": finding.kind, "seq": finding.seq, "message": finding.message}
