"""Signed notes and checkpoints: C2SP signed-note (Ed25519, type 0x01) and C2SP tlog-checkpoint.

    <text, ending in a line break>
    <an empty line>
    — <key name> <base64 of key id and signature>        one or more

A checkpoint's text is three lines: the log's origin, its size, its root in base64. Extension lines are refused:
nothing here writes them, and nobody can audit them. `core.audit.keys` says how keys are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.audit import b64
from core.audit.keys import SigningKey, VerifierKey, is_name
from core.audit.merkle import HASH_BYTES
from core.errors import Invalid

MAX_NOTE_BYTES = 262_144
MAX_SIGNATURES = 100
_DASH = "\u2014 "


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line."""

    name: str
    key_id: bytes
    value: bytes

    @property
    def line(self) -> str:
        return f"{_DASH}{self.name} {b64.encode(self.key_id + self.value)}\n"

    @classmethod
    def parse(cls, line: str) -> Signature:
        """The signature of its line, without the line break. Raises Invalid (`bad_note`)."""
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not is_name(name):
            raise Invalid("bad_note", "a signature line is not an em dash, a key name and a signature")
        value = b64.decode(encoded)
        if value is None or len(value) <= 4:
            raise Invalid("bad_note", f"the signature of {name} is no base64 of a key id and a signature")
        return cls(name=name, key_id=value[:4], value=value[4:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text with its signatures, of which nothing is believed yet."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, data: str | bytes) -> Note:
        """The note of its exact form. Raises Invalid (`bad_note`) with what is wrong."""
        whole = _note_text(data)
        text, found, tail = whole.rpartition("\n\n")
        if not found or not text or not tail.endswith("\n"):
            raise Invalid("bad_note", "this is no signed note: a text, an empty line and signature lines are expected")
        lines = tail[:-1].split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise Invalid("bad_note", f"the note has more than {MAX_SIGNATURES} signatures")
        return cls(text=text + "\n", signatures=tuple(Signature.parse(line) for line in lines))

    def render(self) -> str:
        """The note as it is stored, sent and published."""
        return self.text + "\n" + "".join(signature.line for signature in self.signatures)

    def signers(self, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Which of `keys` signed the text.

        Signatures by other keys are passed over. Raises Invalid (`bad_signature`) when a signature bears the name
        and id of one of `keys` and is not its signature.
        """
        known = {(key.name, key.id): key for key in keys}
        message = self.text.encode()
        signers: list[VerifierKey] = []
        for signature in self.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is None or key in signers:
                continue
            if not key.verifies(message, signature.value):
                raise Invalid(
                    "bad_signature", f"the signature that names {key.name} ({key.id.hex()}) is not by that key"
                )
            signers.append(key)
        return tuple(signers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a log commits to at one size."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note text that is signed."""
        return f"{self.origin}\n{self.size}\n{b64.encode(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint of a note's text. Raises Invalid (`bad_checkpoint`)."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not lines[0]:
            raise Invalid("bad_checkpoint", "a checkpoint's text is three lines: origin, size, root")
        origin, size, encoded, _ = lines
        if not (size.isascii() and size.isdigit()) or len(size) > 19 or (size[0] == "0" and size != "0"):
            raise Invalid("bad_checkpoint", "a checkpoint's size is a decimal number without leading zeroes")
        root = b64.decode(encoded)
        if root is None or len(root) != HASH_BYTES:
            raise Invalid("bad_checkpoint", f"a checkpoint's root is the base64 of {HASH_BYTES} bytes")
        return cls(origin=origin, size=int(size), root=root)


def sign(text: str, keys: Sequence[SigningKey]) -> Note:
    """The note of `text`, signed by each of `keys` in order.

    While a key changes, the old and the new one both sign. Raises Invalid (`bad_note`) for what is no note text.
    """
    if not keys:
        raise Invalid("bad_note", "a note needs a signature")
    message = text.encode()
    signatures = tuple(Signature(name=key.name, key_id=key.verifier.id, value=key.sign(message)) for key in keys)
    note = Note(text=text, signatures=signatures)
    if Note.parse(note.render()) != note:
        raise Invalid("bad_note", "the text of a note must end in a line break")
    return note


def open_checkpoint(data: str | bytes, keys: Iterable[VerifierKey]) -> Checkpoint:
    """The checkpoint of a note that one of `keys` signed.

    Raises Invalid: `bad_note`, `bad_signature`, `unknown_key`, `bad_checkpoint`.
    """
    note = Note.parse(data)
    if not note.signers(keys):
        names = ", ".join(f"{signature.name} ({signature.key_id.hex()})" for signature in note.signatures)
        raise Invalid("unknown_key", f"the note is signed by {names}, which is none of the known keys")
    return Checkpoint.parse(note.text)


def _note_text(data: str | bytes) -> str:
    """The note as text, once its size and characters are those of a note."""
    try:
        raw = data.encode() if isinstance(data, str) else data
        whole = raw.decode()
    except UnicodeError:
        raise Invalid("bad_note", "a note is UTF-8 text") from None
    if len(raw) > MAX_NOTE_BYTES:
        raise Invalid("bad_note", f"a note has at most {MAX_NOTE_BYTES} bytes")
    if any(character < " " and character != "\n" for character in whole):
        raise Invalid("bad_note", "a note has no control characters but line breaks")
    return whole
