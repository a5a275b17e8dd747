"""API keys: `ilk_`, 30 random base62 digits of which the first 8 name the key, 6 digits of CRC-32 over the 30.

The layout is GitHub's, so that a scanner finds a leaked key and a typing error is caught without a look-up. Stored
is the SHA-256 of the whole text, which is random enough to need no slow hash. The text is shown once.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update

from core.errors import NotFound
from core.people import sessions
from core.people.directory import Kind, Principal
from core.store import schema
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx

START = "ilk_"
PREFIX_DIGITS = 8
_RANDOM_DIGITS = 30
_CHECK_DIGITS = 6
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase

_T = schema.api_key
_ALL = Statement(
    select(_T)
    .where(_T.c.prefix > bindparam("after"))
    .order_by(_T.c.prefix)
    .limit(bindparam("count", type_=_T.c.decide.type))
)
_FIND = Statement(select(_T).where(_T.c.prefix == bindparam("prefix")))
_LIVE = Statement(select(_T).where(_T.c.revoked_at.is_(None)))
_NEW = Statement(insert(_T), ("prefix", "hash", "principal", "decide", "created_at", "created_by"))
_REVOKE = Statement(
    update(_T).where(_T.c.prefix == bindparam("p"), _T.c.revoked_at.is_(None)).values(revoked_at=bindparam("at"))
)
_TOUCH = Statement(update(_T).where(_T.c.prefix == bindparam("p")).values(used_at=bindparam("at")))

Tell = Callable[[Tx, Principal, str], object]
"""Lets a person know, in plain words, what was made in their name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A stored key: everything but its text."""

    prefix: str
    hash: bytes
    principal: str
    decide: bool
    created_at: int
    created_by: str
    revoked_at: int | None
    used_at: int | None


def prefix_of(text: str) -> str | None:
    """The prefix of a well-formed key with the right checksum; None for anything else."""
    body = text[len(START) :]
    if not text.startswith(START) or len(body) != _RANDOM_DIGITS + _CHECK_DIGITS or not body.isascii():
        return None
    random, check = body[:_RANDOM_DIGITS], body[_RANDOM_DIGITS:]
    if not body.isalnum() or not secrets.compare_digest(check, _checksum(random)):
        return None
    return random[:PREFIX_DIGITS]


def hash_of(text: str) -> bytes:
    """What is stored in place of a key."""
    return hashlib.sha256(text.encode()).digest()


def create(
    tx: Tx,
    *,
    by: str,
    principal: Principal,
    decide: bool = True,
    channel: str | None = None,
    tell: Tell | None = None,
) -> str:
    """A new key's text, which is known to nobody else and stored nowhere.

    Only a person's key can decide at all; `decide` False takes that away. A person is told of it by `tell`.
    """
    random = "".join(secrets.choice(_DIGITS) for _ in range(_RANDOM_DIGITS))
    text = START + random + _checksum(random)
    prefix = random[:PREFIX_DIGITS]
    decide = decide and principal.kind is Kind.PERSON
    tx.run(
        _NEW,
        prefix=prefix,
        hash=hash_of(text),
        principal=principal.id,
        decide=int(decide),
        created_at=tx.now_us,
        created_by=by,
    )
    tx.record(
        "key:created",
        actor=by,
        subject=principal.id,
        channel=channel,
        details={"prefix": prefix, "principal": principal.id, "decide": decide},
    )
    if tell is not None and principal.kind is Kind.PERSON:
        power = "request and decide" if decide else "request, but not decide,"
        tell(
            tx,
            principal,
            f"{by} made the API key {START}{prefix}… that can {power} in your name.",
        )
    return text


def revoke(tx: Tx, *, by: str, prefix: str, channel: str | None = None) -> Key:
    """The key of that prefix and every session that began with it have ended; as it was before.

    A key that was revoked before changes nothing. Raises NotFound.
    """
    prefix = prefix.removeprefix(START)[:PREFIX_DIGITS]
    key = find(tx, prefix)
    if key is None:
        raise NotFound("not_found", "there is no key with that prefix")
    if tx.run(_REVOKE, p=prefix, at=tx.now_us) == 1:
        _record_revoked(tx, key, by=by, channel=channel, why="revoked")
    return key


def revoke_all(tx: Tx, principal: str, *, by: str, channel: str | None, why: str) -> int:
    """No key of that principal lives; how many were revoked."""
    live = [_key(row) for row in tx.all(_LIVE) if row["principal"] == principal]
    for key in live:
        tx.run(_REVOKE, p=key.prefix, at=tx.now_us)
        _record_revoked(tx, key, by=by, channel=channel, why=why)
    return len(live)


def revoke_strangers(tx: Tx, known: Callable[[str], bool], *, by: str) -> int:
    """No live key belongs to somebody whom the configuration does not know; how many were revoked."""
    strangers = [_key(row) for row in tx.all(_LIVE) if not known(row["principal"])]
    for key in strangers:
        tx.run(_REVOKE, p=key.prefix, at=tx.now_us)
        _record_revoked(tx, key, by=by, channel=None, why="removed from the configuration")
    return len(strangers)


def find(reader: Reader, prefix: str) -> Key | None:
    """The key of that prefix, revoked or not."""
    row = reader.one(_FIND, prefix=prefix)
    return None if row is None else _key(row)


def listing(reader: Reader, *, after: str = "", limit: int = 100) -> list[Key]:
    """Keys in the order of their prefixes, from the one after `after`."""
    return [_key(row) for row in reader.all(_ALL, after=after, count=limit)]


def touch(tx: Tx, prefix: str) -> None:
    """The key was used about now."""
    tx.run(_TOUCH, p=prefix, at=tx.now_us)


def _record_revoked(tx: Tx, key: Key, *, by: str, channel: str | None, why: str) -> None:
    tx.record(
        "key:revoked",
        actor=by,
        subject=key.principal,
        channel=channel,
        details={"prefix": key.prefix, "principal": key.principal, "why": why},
    )
    sessions.end_begun_by(tx, f"key:{key.prefix}", by=by, why="its key was revoked")


def _key(row: Row) -> Key:
    return Key(
        prefix=row["prefix"],
        hash=bytes(row["hash"]),
        principal=row["principal"],
        decide=bool(row["decide"]),
        created_at=row["created_at"],
        created_by=row["created_by"],
        revoked_at=row["revoked_at"],
        used_at=row["used_at"],
    )


def _checksum(random: str) -> str:
    number = zlib.crc32(random.encode())
    digits = ""
    for _ in range(_CHECK_DIGITS):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
