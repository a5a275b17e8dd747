"""The statement that a receipt leaves nothing out, signed by the key that signs the log:

    interlock receipt
    <origin>
    A142 <size of the log>
    <hex SHA-256 of the leaf hashes of every entry of a receipt's events about A142, in order>

Proofs show that entries stand in the log; that no other one does, like a rejection that came later, only the holder of
the log can say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from core.audit.keys import VerifierKey
from core.audit.merkle import leaf_hash
from core.audit.note import Checkpoint, Note
from core.audit.statement import facts
from core.errors import Invalid
from core.receipt.refusing import bad

EVENTS = ("approval:", "apply:", "rollback:", "freeze:overridden")
"""What a receipt's events begin with."""
_TITLE = "interlock receipt"


def text(approval: str, checkpoint: Checkpoint, entries: Iterable[bytes]) -> str:
    """The statement to sign: these are all the entries about `approval` below the checkpoint."""
    return f"{_TITLE}\n{checkpoint.origin}\n{approval} {checkpoint.size}\n{_digest(entries)}\n"


def demand(
    statement: str, keys: Iterable[VerifierKey], approval: str, checkpoint: Checkpoint, entries: Iterable[bytes]
) -> None:
    """Nothing, when one of `keys` states that `entries` are all. Raises Invalid (`bad_receipt`, or as notes do)."""
    note = Note.parse(statement)
    if not note.signers(keys):
        raise Invalid("unknown_key", "the statement that nothing is left out is signed by none of the known keys")
    origin, what, digest = facts(note, _TITLE)
    if (origin, what) != (checkpoint.origin, f"{approval} {checkpoint.size}"):
        raise bad("its statement is about something else")
    if digest != _digest(entries):
        raise bad("entries were taken out, added or moved")


def _digest(entries: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(leaf_hash(each) for each in entries)).hexdigest()
