"""Press tokens: what a button carries in place of its meaning (DESIGN 3.4).

A token is an HMAC over (approval, revision, digest, choice, delivery) under a key of the hub that never enters the
database, so a copy can be drawn again after a restart without another row; the row holds only its hash. Who holds a
token proves nothing by it: the presser is whoever the channel proved, and each may redeem it once. A token of an
older revision still finds its press, whose digest is then refused as stale.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx

PAGE = 0
"""The delivery of tokens on the page, whose copies have no row of their own."""

_BYTES = 24
_LENGTH = _BYTES * 4 // 3

_T = schema.press
# The construct of one dialect compiles for both, and `ON CONFLICT DO NOTHING` is the same text in both.
_NEW = Statement(insert(_T).on_conflict_do_nothing(), tuple(column.name for column in _T.columns))
_FIND = Statement(select(_T).where(_T.c.hash == bindparam("hash")))
_FORGET = Statement(delete(_T).where(_T.c.expires_at < bindparam("before")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What a token means."""

    approval: int
    revision: int
    digest: str
    choice: str
    delivery: int
    expires_at: int


def token(key: bytes, *, approval: int, revision: int, digest: str, choice: str, delivery: int) -> str:
    """The token of one button on one copy: 32 characters of base64url, always the same under the same key."""
    meaning = f"interlock-press\n{approval}\n{revision}\n{digest}\n{choice}\n{delivery}".encode()
    return urlsafe_b64encode(hmac.digest(key, meaning, "sha256")[:_BYTES]).decode()


def mint(
    tx: Tx,
    key: bytes,
    *,
    approval: int,
    revision: int,
    digest: str,
    choices: Iterable[str],
    delivery: int,
    expires_at: int,
) -> dict[str, str]:
    """Choice -> token; each can be found from now on. Minting the same again changes nothing."""
    minted: dict[str, str] = {}
    for choice in choices:
        made = token(key, approval=approval, revision=revision, digest=digest, choice=choice, delivery=delivery)
        minted[choice] = made
        tx.run(
            _NEW,
            hash=_hash(made),
            approval=approval,
            revision=revision,
            digest=digest,
            choice=choice,
            delivery=delivery,
            expires_at=expires_at,
        )
    return minted


def find(reader: Reader, token: str) -> Press | None:
    """What the token means; None for one that this hub never minted, or has forgotten."""
    if len(token) != _LENGTH or not token.isascii():
        return None
    row = reader.one(_FIND, hash=_hash(token))
    if row is None:
        return None
    return Press(
        approval=row["approval"],
        revision=row["revision"],
        digest=row["digest"],
        choice=row["choice"],
        delivery=row["delivery"] or PAGE,
        expires_at=row["expires_at"],
    )


def forget(tx: Tx, before_us: int) -> int:
    """Drop the rows of tokens that expired before; how many."""
    return tx.run(_FORGET, before=before_us)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
