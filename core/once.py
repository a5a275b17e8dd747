"""A message acts once (P7): the first answer under a key is stored with the effect, and given again.

A key is (scope, proved sender, id): the scope is the channel or route. It is taken only after the sender was
proved. Another body under the same id is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select

from core.errors import Invalid
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx

_T = schema.once
_FIND = Statement(
    select(_T.c.body_hash, _T.c.answer).where(
        _T.c.scope == bindparam("scope"), _T.c.sender == bindparam("sender"), _T.c.key == bindparam("key")
    )
)
_KEEP = Statement(insert(_T), ("scope", "sender", "key", "body_hash", "answer", "at"))
_FORGET = Statement(delete(_T).where(_T.c.at < bindparam("before")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """One message's key, and the SHA-256 of its body."""

    scope: str
    sender: str
    key: str
    body_hash: bytes


def recall(reader: Reader, once: Once) -> str | None:
    """The first answer, or None when this is the first time.

    Raises Invalid (`idempotency_mismatch`) when the key was used for another body.
    """
    row = reader.one(_FIND, scope=once.scope, sender=once.sender, key=once.key)
    if row is None:
        return None
    if bytes(row["body_hash"]) != once.body_hash:
        raise Invalid("idempotency_mismatch", "this id was used before for another message; use a new one")
    answer: str = row["answer"]
    return answer


def keep(tx: Tx, once: Once, answer: str) -> None:
    """Store the first answer."""
    tx.run(
        _KEEP, scope=once.scope, sender=once.sender, key=once.key, body_hash=once.body_hash, answer=answer, at=tx.now_us
    )


def forget(tx: Tx, before_us: int) -> int:
    """Drop keys older than `before_us`; how many."""
    return tx.run(_FORGET, before=before_us)
