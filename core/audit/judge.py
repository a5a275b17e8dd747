"""Checkpoints held against a log that was read: which of them it agrees with, and which give it away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from core.audit import b64
from core.audit.keys import VerifierKey
from core.audit.note import Checkpoint, Note
from core.audit.reading import Reading
from core.audit.statement import KeyChange, Loss, open_key_change, open_loss
from core.audit.verdict import Finding, Findings
from core.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A checkpoint's note and where it was found, in words that mean something to the reader."""

    source: str
    note: str


@dataclass(slots=True, kw_only=True)
class _Claim:
    """One distinct note: where it is held, what it says, and who signed it."""

    note: Note
    checkpoint: Checkpoint
    sources: list[str] = field(default_factory=list)
    outside: bool = False
    signers: set[VerifierKey] = field(default_factory=set)

    @property
    def where(self) -> str:
        return f"the checkpoint of {self.checkpoint.size:,} entries ({', '.join(self.sources)})"


class Judge:
    """Opens the checkpoints that are held, then holds them against a `Reading`."""

    def __init__(
        self, findings: Findings, *, keys: Iterable[VerifierKey], inside: Iterable[Held], outside: Iterable[Held]
    ) -> None:
        self.matched = 0
        self.anchored_size = 0
        self.losses: list[Finding] = []
        self._findings = findings
        self._trusted = set(keys)
        self._retired_at: dict[VerifierKey, int] = {}
        self._claims: dict[str, _Claim] = {}
        self._inside_sizes: set[int] = set()
        self._differing: set[int] = set()
        for held in inside:
            self._open(held, outside=False)
        for held in outside:
            self._open(held, outside=True)

    @property
    def sizes(self) -> set[int]:
        """The sizes at which the log's root is wanted."""
        return {claim.checkpoint.size for claim in self._claims.values()}

    def judge(self, reading: Reading, *, settled: int | None) -> None:
        """Hold every checkpoint against the log. `log:checkpoint` entries past `settled` need not have theirs yet."""
        changes = self._trust(reading)
        self._sign()
        self._retire(reading, changes)
        believed = self._believed(reading)
        excused = self._losses(reading)
        self._agree(reading, believed, excused)
        self._forks(believed, reading, excused)
        self._noted(reading, settled)

    def _open(self, held: Held, *, outside: bool) -> None:
        claim = self._claims.get(held.note)
        if claim is None:
            try:
                note = Note.parse(held.note)
                claim = _Claim(note=note, checkpoint=Checkpoint.parse(note.text))
            except Invalid as error:
                self._findings.add("bad_checkpoint", None, f"a checkpoint in {held.source}: {error.message}")
                return
            self._claims[held.note] = claim
        if held.source not in claim.sources:
            claim.sources.append(held.source)
        claim.outside = claim.outside or outside
        if not outside:
            self._inside_sizes.add(claim.checkpoint.size)

    def _trust(self, reading: Reading) -> list[tuple[int, KeyChange]]:
        """Believe the keys that follow from the given ones by stated changes; the changes that count."""
        stated: list[tuple[int, KeyChange]] = []
        for seq, statement in reading.key_changes:
            try:
                change = open_key_change(statement)
            except Invalid as error:
                self._findings.add("bad_statement", seq, f"it tells of another key, but {error.message}")
                continue
            if change.origin == reading.origin:
                stated.append((seq, change))
            else:
                self._findings.add(
                    "bad_statement", seq, "the statement of another key that it carries is another log's"
                )
        known = -1
        while known != len(self._trusted):
            known = len(self._trusted)
            for _, change in stated:
                if not self._trusted.isdisjoint((change.old, change.new)):
                    self._trusted.update((change.old, change.new))
        return [(seq, change) for seq, change in stated if change.old in self._trusted]

    def _sign(self) -> None:
        """Find out which believed keys signed what; a note with a forged signature is no claim."""
        for name, claim in list(self._claims.items()):
            try:
                claim.signers.update(claim.note.signers(self._trusted))
            except Invalid as error:
                self._findings.add("bad_signature", None, f"{claim.where}: {error.message}")
                del self._claims[name]

    def _retire(self, reading: Reading, changes: list[tuple[int, KeyChange]]) -> None:
        """Know after which size a replaced key no longer signs: the first checkpoint that covers the change."""
        for seq, change in changes:
            sizes = (
                claim.checkpoint.size
                for claim in self._claims.values()
                if claim.checkpoint.size >= seq
                and not claim.signers.isdisjoint((change.old, change.new))
                and reading.roots.get(claim.checkpoint.size) == claim.checkpoint.root
            )
            handover = min(sizes, default=None)
            if handover is not None:
                self._retired_at[change.old] = handover

    def _believed(self, reading: Reading) -> list[_Claim]:
        """The checkpoints of this log that a key signed which could sign then, by size."""
        believed: list[_Claim] = []
        for claim in self._claims.values():
            signers = claim.signers
            if not signers:
                names = ", ".join(f"{signature.name} ({signature.key_id.hex()})" for signature in claim.note.signatures)
                self._findings.add("unknown_key", None, f"{claim.where} is signed by {names}: not by a key of this log")
            elif reading.origin is not None and claim.checkpoint.origin != reading.origin:
                self._findings.add(
                    "other_log", None, f"{claim.where} is of the log {claim.checkpoint.origin}, not {reading.origin}"
                )
            elif all(claim.checkpoint.size > self._retired_at.get(key, claim.checkpoint.size) for key in signers):
                self._findings.add(
                    "retired_key", None, f"{claim.where} is signed only by a key that had been replaced before"
                )
            else:
                believed.append(claim)
        return sorted(believed, key=lambda claim: claim.checkpoint.size)

    def _losses(self, reading: Reading) -> list[Loss]:
        """What restores admit, under a signature of a key of this log."""
        losses: list[Loss] = []
        for seq, statement in reading.restores:
            try:
                loss = open_loss(statement, self._trusted)
            except Invalid as error:
                self._findings.add("bad_statement", seq, f"it tells of a restore, but {error.message}")
                continue
            if loss.origin != reading.origin or loss.kept >= seq:
                self._findings.add("bad_statement", seq, "the statement of a restore that it carries is another one's")
                continue
            losses.append(loss)
            if loss.lost > loss.kept:
                message = f"a restore says that what had been entries {loss.kept + 1:,} to {loss.lost:,} is lost"
                self.losses.append(Finding(kind="lost", seq=seq, message=message))
        return losses

    def _agree(self, reading: Reading, believed: list[_Claim], excused: list[Loss]) -> None:
        """Compare each root; of those that differ, only the first is told, for each place they are held."""
        agreed = 0
        told: set[bool] = set()
        for claim in believed:
            checkpoint = claim.checkpoint
            if reading.roots.get(checkpoint.size) == checkpoint.root:
                agreed = checkpoint.size
                self.matched += 1
                if claim.outside:
                    self.anchored_size = max(self.anchored_size, checkpoint.size)
                continue
            self._differing.add(checkpoint.size)
            if claim.outside in told or any(loss.covers(checkpoint.size) for loss in excused):
                continue
            if checkpoint.size > reading.size:
                told.add(claim.outside)
                gone = f"{checkpoint.size - reading.size:,} entries are cut off"
                self._findings.add(
                    "truncated", None, f"the log ends at {reading.size:,}, short of {claim.where}: {gone}"
                )
            elif checkpoint.size in reading.roots:
                told.add(claim.outside)
                since = f"something in entries {agreed + 1:,} to {checkpoint.size:,} was changed after it was signed"
                self._findings.add("rewritten", None, f"the log does not have the root of {claim.where}: {since}")

    def _forks(self, believed: list[_Claim], reading: Reading, excused: list[Loss]) -> None:
        """Two roots signed for one size: somebody was shown another log."""
        first: dict[int, _Claim] = {}
        for claim in believed:
            other = first.setdefault(claim.checkpoint.size, claim)
            if claim.checkpoint.root != other.checkpoint.root and not any(
                loss.covers(claim.checkpoint.size) for loss in excused
            ):
                self._findings.add("forked", None, f"{other.where} and {claim.where} are both signed, and contradict")

    def _noted(self, reading: Reading, settled: int | None) -> None:
        """Every checkpoint that the log says was signed must be held, and say the same."""
        for noted in reading.noted:
            if noted.size not in self._inside_sizes:
                if settled is None or noted.seq <= settled:
                    self._findings.add(
                        "checkpoint_removed",
                        noted.seq,
                        f"the checkpoint of {noted.size:,} entries that it tells of is gone",
                    )
            elif noted.size in self._differing or noted.size not in reading.roots:
                continue
            elif b64.encode(reading.roots[noted.size]) != noted.root:
                self._findings.add(
                    "rewritten", noted.seq, f"the log does not have the root that it tells for {noted.size:,} entries"
                )
