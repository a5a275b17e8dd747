"""The receipt of one approval: one JSON object, and what can be concluded from it with a verifier key alone. Pure.

    {
      "interlock_receipt": 2,
      "approval": "A142",
      "bound": {…},                 everything that the digest covers
      "entries": [{"entry": <exact canonical text>, "values": [{"field", "salt", "value"}], "hashes": [hex]}],
      "checkpoint": <signed note>   C2SP tlog-checkpoint, Ed25519
      "statement": <signed note>    see core.receipt.complete: these are all the entries about it
      "grant": {                    only for what a grant approved: the grant, and what it was chosen with
        "grant": "G2", "entries": […], "statement": <signed note>,
        "approval": "A140", "chosen": […], "chosen_statement": <signed note>
      }
    }

Every fact comes from an entry that is proved to stand in the log of the checkpoint (RFC 6962 2.1.1) or from a value
that such an entry commits to; the bound request is proved by its digest, which entries name. Nothing else is believed,
and a member that this version does not know is refused. What happened after the checkpoint a receipt cannot say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.audit.entry import Entry, commitment, decode
from core.audit.keys import VerifierKey
from core.audit.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from core.audit.note import Checkpoint, open_checkpoint
from core.receipt import complete
from core.receipt import granted as granting
from core.receipt.conclusion import Conclusion, conclude
from core.receipt.granted import Granted
from core.receipt.refusing import bad

VERSION = 2
_MEMBERS = frozenset({"interlock_receipt", "approval", "bound", "entries", "checkpoint", "statement"})
_ENTRY_MEMBERS = frozenset({"entry", "values", "hashes"})
_VALUE_MEMBERS = frozenset({"field", "salt", "value"})
_GRANT_MEMBERS = frozenset({"grant", "entries", "statement", "approval", "chosen", "chosen_statement"})
_MOST_ENTRIES = 10_000
_MOST_HASHES = 64


def verify(receipt: object, keys: Iterable[VerifierKey]) -> Conclusion:
    """What the receipt proves under one of `keys`.

    Raises Invalid, and nothing else: `bad_receipt` for its form, what is missing, and facts that do not fit together;
    `bad_note`, `bad_signature`, `unknown_key`, `bad_checkpoint`, `bad_statement` for what is signed; `bad_entry`,
    `not_canonical` for an entry.
    """
    known = list(keys)
    if isinstance(receipt, dict) and receipt.get("interlock_receipt") == 1:
        raise bad("it is of version 1, which left out how votes were counted; ask the hub for a new one")
    granted = isinstance(receipt, dict) and "grant" in receipt
    value = _object(receipt, _MEMBERS | {"grant"} if granted else _MEMBERS, "a receipt")
    if type(value["interlock_receipt"]) is not int or value["interlock_receipt"] != VERSION:
        raise bad(f"this is no receipt of version {VERSION}")
    if type(value["bound"]) is not dict:
        raise bad("the bound request is an object")
    approval, note, statement = (_text(value[name], name) for name in ("approval", "checkpoint", "statement"))
    checkpoint = open_checkpoint(note, known)
    entries = _entries(value["entries"], checkpoint)
    complete.demand(statement, known, approval, checkpoint, [raw for raw, _ in entries])
    grant = _grant(_object(value["grant"], _GRANT_MEMBERS, "a grant"), known, checkpoint) if granted else None
    return conclude(approval, value["bound"], [entry for _, entry in entries], checkpoint, grant)


def _grant(given: Mapping[str, Any], keys: Sequence[VerifierKey], checkpoint: Checkpoint) -> Granted:
    """The grant's entries and those of what it was chosen with, each list whole."""
    lists: list[list[Entry]] = []
    names = _text(given["grant"], "a grant's id"), _text(given["approval"], "a grant's approval")
    parts = (("entries", "statement", granting.EVENTS), ("chosen", "chosen_statement", complete.EVENTS))
    for name, (listed, stated, events) in zip(names, parts, strict=True):
        entries = _entries(given[listed], checkpoint)
        complete.demand(_text(given[stated], stated), keys, name, checkpoint, [raw for raw, _ in entries])
        for _, entry in entries:
            if entry.subject != name or not entry.event.startswith(events):
                raise bad(f"entry {entry.seq} is not about {name}")
        lists.append([entry for _, entry in entries])
    return Granted(name=names[0], entries=lists[0], chosen_on=names[1], chosen=lists[1])


def _entries(given: object, checkpoint: Checkpoint) -> list[tuple[bytes, Entry]]:
    """Every entry with its bytes, proved to stand in the log, its opened values as committed to, in order."""
    if type(given) is not list or not 1 <= len(given) <= _MOST_ENTRIES:
        raise bad("entries are a list, and never an empty one")
    entries: list[tuple[bytes, Entry]] = []
    for each in given:
        raw, entry = _entry(_object(each, _ENTRY_MEMBERS, "an entry"), checkpoint)
        if entries and entry.seq <= entries[-1][1].seq:
            raise bad("the entries are not in the order of the log")
        entries.append((raw, entry))
    return entries


def _entry(member: Mapping[str, Any], checkpoint: Checkpoint) -> tuple[bytes, Entry]:
    raw = _text(member["entry"], "an entry").encode()
    entry = decode(raw)
    if entry.origin != checkpoint.origin:
        raise bad(f"entry {entry.seq} is of another log")
    if not verify_inclusion(
        leaf=leaf_hash(raw),
        index=entry.seq - 1,
        size=checkpoint.size,
        hashes=_hashes(member["hashes"]),
        root=checkpoint.root,
    ):
        raise bad(f"entry {entry.seq} is not proved to stand in the log of the checkpoint")
    if type(member["values"]) is not list:
        raise bad("values are a list")
    opened = [_opened(entry, _object(each, _VALUE_MEMBERS, "a value")) for each in member["values"]]
    if len(set(opened)) != len(opened):
        raise bad(f"entry {entry.seq} has a value twice")
    return raw, entry


def _opened(entry: Entry, value: Mapping[str, Any]) -> str:
    """The field of a value that is what the entry commits to."""
    field, salt, text = (_text(value[name], f"a value's {name}") for name in ("field", "salt", "value"))
    if commitment(_hex(salt, "a salt"), entry.seq, field, text.encode()).hex() != entry.private.get(field):
        raise bad(f"the value of {field[:40]!r} is not what entry {entry.seq} commits to")
    return field


def _hashes(given: object) -> list[bytes]:
    if type(given) is not list or len(given) > _MOST_HASHES:
        raise bad(f"the hashes of a proof are a list of at most {_MOST_HASHES}")
    found = [_hex(_text(each, "a hash"), "a hash") for each in given]
    if any(len(each) != HASH_BYTES for each in found):
        raise bad(f"a hash is {2 * HASH_BYTES} hexadecimal digits")
    return found


def _hex(text: str, what: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise bad(f"{what} is hexadecimal") from None


def _text(value: object, what: str) -> str:
    """`value`, once it is text, and not half a surrogate pair, which has no bytes."""
    if type(value) is not str or any("\ud800" <= each <= "\udfff" for each in value):
        raise bad(f"{what} is text")
    return value


def _object(value: object, members: frozenset[str], what: str) -> Mapping[str, Any]:
    if type(value) is not dict or value.keys() != members:
        raise bad(f"{what} has exactly {', '.join(sorted(members))}")
    return value
