"""A small log in memory, sealed and signed by the real code, that tests bend out of shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from core.audit.entry import Draft, seal
from core.audit.judge import Held
from core.audit.keys import SigningKey
from core.audit.merkle import Tree, leaf_hash
from core.audit.note import Checkpoint, sign
from core.audit.verdict import Verdict
from core.audit.verify import verify

ORIGIN = "interlock.log/0123456789abcdef"
START = 1_767_225_600_000_000


@dataclass
class Log:
    """A log as its tables hold it: lists that a test may change, and the key that signs it."""

    origin: str = ORIGIN
    key: SigningKey = field(default_factory=lambda: SigningKey.generate(ORIGIN))
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    values: list[tuple[Any, ...]] = field(default_factory=list)
    checkpoints: list[Held] = field(default_factory=list)

    def add(self, event: str = "approval:decided", ts: int | None = None, **draft: Any) -> int:
        """Seal the next entry; its seq."""
        seq = len(self.rows) + 1
        now = START + seq * 1_000 if ts is None else ts
        fields = Draft(event=event, **{"actor": "ana", "subject": f"A{seq}", "channel": "slack", **draft})
        sealed = seal(fields, origin=self.origin, seq=seq, ts=now)
        self.rows.append(
            (seq, sealed.entry, sealed.leaf_hash, now, event, fields.actor, fields.subject, fields.channel)
        )
        self.values.extend((seq, *value) for value in sorted(sealed.values))
        return seq

    def fill(self, count: int) -> None:
        """Add entries as a hub would: every third one with private values."""
        for number in range(count):
            private = {"reason": f"because {number}", "params": {"env": "prod"}} if number % 3 == 0 else {}
            self.add(details={"revision": 1, "digest": f"{number:064x}"}, private=private)

    def note(self, size: int | None = None, *keys: SigningKey) -> str:
        """A checkpoint of the first `size` rows as they are now."""
        size = len(self.rows) if size is None else size
        tree = Tree()
        for row in self.rows[:size]:
            tree.append(leaf_hash(row[1]))
        return sign(Checkpoint(origin=self.origin, size=size, root=tree.root()).text, keys or [self.key]).render()

    def checkpoint(self, *keys: SigningKey) -> str:
        """Sign the present size, keep the note inside, and record it, as the hub does."""
        note = self.note(None, *keys)
        size = len(self.rows)
        root = note.split("\n")[2]
        self.checkpoints.append(Held(source="the database", note=note))
        self.add("log:checkpoint", actor=None, subject=None, channel=None, details={"size": size, "root": root})
        return note

    def verify(self, *outside: str, **options: Any) -> Verdict:
        """The verdict over the log as it is now, with notes held outside."""
        held = [Held(source="the anchor", note=note) for note in outside]
        options = {"keys": [self.key.verifier], **options}
        return verify(self.rows, self.values, self.checkpoints, outside=held, **options)

    def found(self, *outside: str, **options: Any) -> dict[str, list[int | None]]:
        """What a verification finds: the entries named, for each kind."""
        found: dict[str, list[int | None]] = {}
        for finding in self.verify(*outside, **options).findings:
            found.setdefault(finding.kind, []).append(finding.seq)
        return found

    def rewrite(self, seq: int, change: Callable[[bytes], bytes]) -> None:
        """Change an entry's bytes and hash them again, as a careful forger would."""
        _, entry, _, *columns = self.rows[seq - 1]
        changed = change(entry)
        assert changed != entry
        self.rows[seq - 1] = (seq, changed, leaf_hash(changed), *columns)


@pytest.fixture
def new_log() -> type[Log]:
    """Makes an empty log with a key of its own."""
    return Log


@pytest.fixture
def log() -> Log:
    """Forty entries, checkpoints after 20 and 41, a few entries after that."""
    log = Log()
    log.fill(20)
    log.checkpoint()
    log.fill(20)
    log.checkpoint()
    log.fill(5)
    return log
