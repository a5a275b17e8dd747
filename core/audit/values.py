"""Private values as they are stored, handed out beside their entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from core.audit.reading import Present
from core.audit.verdict import Findings

Value = tuple[int, str, bytes, bytes]
"""A stored private value: seq, field, salt, value."""


class StoredValues:
    """Stored private values in order of seq, read once. Those past `settled` were appended meanwhile: left alone."""

    def __init__(self, values: Iterable[Value], findings: Findings, *, settled: int | None) -> None:
        self._rows: Iterator[Value] = iter(values)
        self._findings = findings
        self._settled = settled
        self._next: Value | None = None
        self._advance()

    def at(self, seq: int) -> Present | None:
        """The values of entry `seq`; None past `settled`. Those of entries that were passed by are strays."""
        if type(seq) is not int or (self._settled is not None and seq > self._settled):
            return None
        present: list[tuple[str, bytes, bytes]] = []
        while self._next is not None and self._next[0] <= seq:
            if self._next[0] == seq:
                present.append(self._next[1:])
            else:
                self._stray(self._next)
            self._advance()
        return present

    def end(self) -> None:
        """Say which values up to `settled` belong to no entry."""
        while self._next is not None and (self._settled is None or self._next[0] <= self._settled):
            self._stray(self._next)
            self._advance()

    def _advance(self) -> None:
        self._next = next(self._rows, None)
        while self._next is not None and type(self._next[0]) is not int:
            self._stray(self._next)
            self._next = next(self._rows, None)

    def _stray(self, row: Value) -> None:
        self._findings.add("value_stray", None, f"a value is stored for {row[1]!r} of entry {row[0]!r}, which has none")
