"""The layout of a log entry, and the sealing of private values.

An entry is the canonical JSON (see `core.audit.canonical`) of an object with exactly these members:

    v        1
    origin   which log it belongs to
    seq      its place, dense from 1
    ts       microseconds since 1970 by the store's clock, never below the entry before
    event    one of `core.audit.events.EVENTS`
    actor    the opaque id of the principal who acted, or null
    subject  what it is about (`A142`, `L7`, …), or null
    channel  where it came from, or null
    details  facts that may stay for ever
    private  field -> commitment, for personal and free text

A commitment is the hex of SHA-256(salt || seq || length of field || field || value): 32 random bytes; seq as
8 bytes, big-endian; the field's length in UTF-8 as 4 bytes, big-endian; the field; the canonical JSON of the
value. Salt and value are kept beside the log and can be erased without touching the entry.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from core.audit.canonical import canonical, parse
from core.audit.events import EVENTS
from core.audit.merkle import leaf_hash
from core.errors import Invalid

VERSION = 1
SALT_BYTES = 32

_MEMBERS = frozenset({"v", "origin", "seq", "ts", "event", "actor", "subject", "channel", "details", "private"})
_HEX = frozenset("0123456789abcdef")


_NOTHING: Mapping[str, Any] = {}


class Draft(NamedTuple):
    """What somebody wants recorded, before it has a place and a time."""

    event: str
    actor: str | None = None
    subject: str | None = None
    channel: str | None = None
    details: Mapping[str, Any] = _NOTHING
    private: Mapping[str, Any] = _NOTHING


class SaltedValue(NamedTuple):
    """A private value as it is stored beside the log; `value` is its canonical JSON."""

    field: str
    salt: bytes
    value: bytes


class Sealed(NamedTuple):
    """An entry's exact bytes, its leaf hash, and the private values that it commits to."""

    entry: bytes
    leaf_hash: bytes
    values: list[SaltedValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A decoded entry. `private` holds commitments in hex, never values."""

    v: int
    origin: str
    seq: int
    ts: int
    event: str
    actor: str | None
    subject: str | None
    channel: str | None
    details: Mapping[str, Any]
    private: Mapping[str, str]


def commitment(salt: bytes, seq: int, field: str, value: bytes) -> bytes:
    """What an entry holds in place of a private value."""
    name = field.encode()
    return hashlib.sha256(b"".join((salt, seq.to_bytes(8), len(name).to_bytes(4), name, value))).digest()


def seal(draft: Draft, *, origin: str, seq: int, ts: int) -> Sealed:
    """The entry of `draft` at its place in the log, with fresh salts for its private values.

    Raises ValueError for an event that is not in the closed list, Invalid (`not_canonical`) for what canonical
    JSON cannot hold.
    """
    if draft.event not in EVENTS:
        raise ValueError(f"{draft.event!r} is not in the closed list of events")
    values: list[SaltedValue] = []
    commitments: dict[str, str] = {}
    if draft.private:
        salts = os.urandom(SALT_BYTES * len(draft.private))
        for at, (name, plain) in enumerate(draft.private.items()):
            sealed = SaltedValue(name, salts[at * SALT_BYTES : (at + 1) * SALT_BYTES], canonical(plain))
            commitments[name] = commitment(sealed.salt, seq, name, sealed.value).hex()
            values.append(sealed)
    entry = canonical(
        {
            "v": VERSION,
            "origin": origin,
            "seq": seq,
            "ts": ts,
            "event": draft.event,
            "actor": draft.actor,
            "subject": draft.subject,
            "channel": draft.channel,
            "details": draft.details,
            "private": commitments,
        }
    )
    return Sealed(entry, leaf_hash(entry), values)


def read(entry: bytes) -> dict[str, Any]:
    """The members of an entry, once its bytes are known to be canonical and laid out as this module says.

    Raises Invalid: `not_canonical` for the bytes, `bad_entry` for the layout.
    """
    members = parse(entry)
    if type(members) is not dict or members.keys() != _MEMBERS:
        raise Invalid("bad_entry", "this is no log entry: its members are not those of version 1")
    if (
        type(members["v"]) is not int
        or members["v"] != VERSION
        or type(members["origin"]) is not str
        or type(members["seq"]) is not int
        or type(members["ts"]) is not int
        or type(members["event"]) is not str
        or members["event"] not in EVENTS
        or not _is_text(members["actor"])
        or not _is_text(members["subject"])
        or not _is_text(members["channel"])
        or type(members["details"]) is not dict
        or not _are_commitments(members["private"])
    ):
        raise Invalid("bad_entry", "this is no log entry: a member is not of its type, or the event is unknown")
    return members


def decode(entry: bytes) -> Entry:
    """The entry of its bytes. Raises as `read` does."""
    return Entry(**read(entry))


def _is_text(value: object) -> bool:
    return value is None or type(value) is str


def _are_commitments(private: object) -> bool:
    if type(private) is not dict:
        return False
    return all(type(digest) is str and len(digest) == 64 and _HEX.issuperset(digest) for digest in private.values())
