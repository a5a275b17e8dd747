"""One pass over a log's entries and private values: everything that can be checked without a signature.

Nothing that is stored is believed: leaf hashes are computed again from the stored bytes, and whatever type a
tampered row has is a finding, never an error.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from core.audit.entry import SALT_BYTES, commitment, read
from core.audit.merkle import Tree, leaf_hash
from core.audit.verdict import Findings
from core.errors import Invalid

Row = tuple[int, bytes, bytes, int, str, str | None, str | None, str | None]
"""A stored entry: seq, entry, leaf_hash, then the copied columns ts, event, actor, subject, channel."""

Present = Sequence[tuple[str, bytes, bytes]]
"""The private values stored for one entry: field, salt, value."""

_COLUMNS = ("ts", "event", "actor", "subject", "channel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A `log:checkpoint` entry: a checkpoint of `size` with that root (base64, as in its note) was signed."""

    seq: int
    size: int
    root: str


class Reading:
    """What the entries say, read in order. Feed `row` or `entry`, then call `end` once."""

    def __init__(self, findings: Findings, *, sizes: Collection[int], values_may_lack: bool = False) -> None:
        """`sizes` are those whose root is wanted.

        With `values_may_lack` a missing private value is nothing to find, as in an export that withholds some.
        """
        self.origin: str | None = None
        self.size = 0
        self.roots: dict[int, bytes] = {}
        self.key_changes: list[tuple[int, str]] = []
        """seq and statement of each `log:key_changed` entry."""
        self.restores: list[tuple[int, str]] = []
        """seq and statement of each `log:restored` entry."""
        self.noted: list[Noted] = []
        self._findings = findings
        self._tree: Tree | None = Tree()
        self._ts = 0
        self._sizes = frozenset(sizes)
        self._may_lack = values_may_lack
        self._lacking: dict[int, set[str]] = {}
        if 0 in self._sizes:
            self.roots[0] = Tree().root()

    @property
    def root(self) -> bytes | None:
        """The root over all entries so far; None when entries are missing."""
        return None if self._tree is None else self._tree.root()

    def row(self, row: Row, present: Present | None) -> None:
        """Check one stored row: its entry, and that the columns agree with it."""
        seq, entry, stored_hash, ts, event, actor, subject, channel = row
        members = self.entry(seq, entry, stored_hash, present)
        if members is not None and (
            members["ts"] != ts
            or members["event"] != event
            or members["actor"] != actor
            or members["subject"] != subject
            or members["channel"] != channel
        ):
            wrong = [name for name, value in zip(_COLUMNS, row[3:], strict=True) if members[name] != value]
            self._findings.add("column", seq, f"its {' and '.join(wrong)} in the table differs from the entry")

    def entry(self, seq: int, entry: bytes, stored_hash: bytes, present: Present | None) -> dict[str, Any] | None:
        """Check one stored entry and take it in; its members, or None when its bytes are no entry.

        `present` are the private values stored for it; None leaves them unchecked.
        """
        if not self._follows(seq):
            return None
        if type(entry) is not bytes:
            self._findings.add("not_canonical", seq, "what is stored is not even bytes")
            self._tree = None
            return None
        leaf = leaf_hash(entry)
        if leaf != stored_hash:
            self._findings.add("edited", seq, "its bytes do not have the leaf hash that is stored with them")
        if self._tree is not None:
            self._tree.append(leaf)
            if seq in self._sizes:
                self.roots[seq] = self._tree.root()
        try:
            members = read(entry)
        except Invalid as error:
            self._findings.add(error.code, seq, error.message)
            return None
        self._place(seq, members)
        if present is not None and (present or members["private"]):
            self._check_values(seq, members["private"], present)
        if members["event"].startswith("log:"):
            self._note(seq, members["event"], members["details"])
        return members

    def end(self) -> None:
        """Say what is left over once every entry was read."""
        for seq, fields in self._lacking.items():
            self._findings.add(
                "value_missing", seq, f"its {_listed(fields)} is gone, and no later entry says that it was erased"
            )

    def _follows(self, seq: int) -> bool:
        """Whether the row can be taken in at its place."""
        if type(seq) is not int or seq <= self.size:
            self._findings.add("out_of_order", None, f"a row numbered {seq!r} follows entry {self.size}")
            return False
        if seq != self.size + 1:
            gone = f"entry {seq - 1} is" if seq == self.size + 2 else f"entries {self.size + 1} to {seq - 1} are"
            self._findings.add("missing", self.size + 1, f"{gone} missing")
            self._tree = None
        self.size = seq
        return True

    def _place(self, seq: int, members: dict[str, Any]) -> None:
        """Check that the entry was written for this place of this log."""
        if members["seq"] != seq:
            self._findings.add("misplaced", seq, f"the entry in this place was written as entry {members['seq']}")
        if members["origin"] != self.origin:
            if self.origin is None:
                self.origin = members["origin"]
            else:
                self._findings.add("other_log", seq, f"it belongs to the log {members['origin']}, not {self.origin}")
        if members["ts"] < self._ts:
            self._findings.add("clock_back", seq, "its time is before that of the entry before it")
        else:
            self._ts = members["ts"]

    def _check_values(self, seq: int, private: dict[str, str], present: Present) -> None:
        lacking = set(private)
        for field, salt, value in present:
            if field not in lacking:
                self._findings.add("value_stray", seq, f"a value is stored for {field!r}, which it does not have")
                continue
            lacking.discard(field)
            if (
                type(salt) is not bytes
                or type(value) is not bytes
                or len(salt) != SALT_BYTES
                or commitment(salt, seq, field, value).hex() != private[field]
            ):
                self._findings.add("value_changed", seq, f"the value stored for {field} is not what it commits to")
        if lacking and not self._may_lack:
            self._lacking[seq] = lacking

    def _note(self, seq: int, event: str, details: dict[str, Any]) -> None:
        """Keep what an entry about the log itself says. A malformed one says nothing."""
        match event, details:
            case "log:erased", {"seq": int(erased), "fields": list(fields)} if erased < seq:
                lacking = self._lacking.get(erased)
                if lacking is not None:
                    lacking.difference_update(field for field in fields if isinstance(field, str))
                    if not lacking:
                        del self._lacking[erased]
            case "log:checkpoint", {"size": int(size), "root": str(root)}:
                self.noted.append(Noted(seq=seq, size=size, root=root))
            case "log:key_changed", {"statement": str(statement)}:
                self.key_changes.append((seq, statement))
            case "log:restored", {"statement": str(statement)}:
                self.restores.append((seq, statement))


def _listed(fields: Iterable[str]) -> str:
    return ", ".join(sorted(fields))
