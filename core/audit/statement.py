"""What the holder of the log's key states in a signed note, so that the database alone cannot say it.

A restore that loses entries, kept as `details.statement` of its `log:restored` entry:

    interlock log restored
    <origin>
    <how many entries were kept>
    <the last seq known to have existed>

A change of key, kept as `details.statement` of its `log:key_changed` entry, signed by both keys:

    interlock log key changed
    <origin>
    <old verifier key>
    <new verifier key>

Whoever can write to the database but holds no key can neither excuse a cut tail nor bring in a key of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.audit.keys import SigningKey, VerifierKey
from core.audit.note import Note, sign
from core.errors import Invalid

_RESTORED = "interlock log restored"
_KEY_CHANGED = "interlock log key changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Entries `kept` + 1 to `lost` of this log are gone, and a restore says so."""

    origin: str
    kept: int
    lost: int

    def covers(self, size: int) -> bool:
        """Whether a checkpoint of `size` was signed over entries that are gone."""
        return self.kept < size <= self.lost

    def signed(self, key: SigningKey) -> str:
        """The note to keep."""
        return sign(f"{_RESTORED}\n{self.origin}\n{self.kept}\n{self.lost}\n", [key]).render()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """`new` signs this log in the place of `old`, and both say so."""

    origin: str
    old: VerifierKey
    new: VerifierKey


def change_key(origin: str, *, old: SigningKey, new: SigningKey) -> str:
    """The note by which both keys state the change."""
    text = f"{_KEY_CHANGED}\n{origin}\n{old.verifier.text}\n{new.verifier.text}\n"
    return sign(text, [old, new]).render()


def open_loss(data: str, keys: Iterable[VerifierKey]) -> Loss:
    """The loss that one of `keys` signed for.

    Raises Invalid (`bad_note`, `bad_signature`, `unknown_key`, `bad_statement`).
    """
    note = Note.parse(data)
    if not note.signers(keys):
        raise Invalid("unknown_key", "its statement is signed by no key of this log")
    origin, kept, lost = facts(note, _RESTORED)
    if not all(number.isascii() and number.isdigit() and len(number) <= 19 for number in (kept, lost)):
        raise Invalid("bad_statement", "its statement does not name two entry numbers")
    return Loss(origin=origin, kept=int(kept), lost=int(lost))


def open_key_change(data: str) -> KeyChange:
    """The change that both of its keys signed; nothing is said of whether either is believed.

    Raises Invalid (`bad_note`, `bad_signature`, `bad_key`, `unknown_key`, `bad_statement`).
    """
    note = Note.parse(data)
    origin, old, new = facts(note, _KEY_CHANGED)
    change = KeyChange(origin=origin, old=VerifierKey.parse(old), new=VerifierKey.parse(new))
    if len(note.signers({change.old, change.new})) != 2:
        raise Invalid("unknown_key", "its statement is not signed by the old and the new key")
    return change


def facts(note: Note, title: str) -> tuple[str, str, str]:
    """The three facts of a statement with that title."""
    lines = note.text.split("\n")
    if len(lines) != 5 or lines[0] != title:
        raise Invalid("bad_statement", f"its statement is not one of {title!r}")
    return lines[1], lines[2], lines[3]
