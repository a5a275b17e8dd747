"""What a restore admits: a signed statement of which entries the log no longer has.

Its text is `interlock log restored`, the origin, how many entries were kept, and the last seq known to have
existed, one a line, signed as a note by the log's key. A `log:restored` entry carries it as `details.statement`.
Whoever can write to the database but does not hold the key cannot excuse a cut tail with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.audit.keys import VerifierKey
from core.audit.note import Note
from core.errors import Invalid

_TITLE = "interlock log restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Entries `kept` + 1 to `lost` of this log are gone, and a restore says so."""

    origin: str
    kept: int
    lost: int

    @property
    def text(self) -> str:
        """The note text that is signed."""
        return f"{_TITLE}\n{self.origin}\n{self.kept}\n{self.lost}\n"

    def covers(self, size: int) -> bool:
        """Whether a checkpoint of `size` was signed over entries that are gone."""
        return self.kept < size <= self.lost

    @classmethod
    def parse(cls, text: str) -> Loss:
        """The statement of a note's text. Raises Invalid (`bad_statement`)."""
        lines = text.split("\n")
        if len(lines) != 5 or lines[0] != _TITLE or lines[4]:
            raise Invalid("bad_statement", "this is no statement of a restore")
        if not all(number.isascii() and number.isdigit() and len(number) <= 19 for number in lines[2:4]):
            raise Invalid("bad_statement", "a statement of a restore names two entry numbers")
        return cls(origin=lines[1], kept=int(lines[2]), lost=int(lines[3]))


def open_loss(data: str, keys: Iterable[VerifierKey]) -> Loss:
    """The loss that one of `keys` signed for. Raises Invalid (`bad_note`, `bad_signature`, `unknown_key`, `bad_statement`)."""
    note = Note.parse(data)
    if not note.signers(keys):
        raise Invalid("unknown_key", "the statement of a restore is signed by none of the known keys")
    return Loss.parse(note.text)
