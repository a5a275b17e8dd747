"""Secret parameters, sealed until the run ends and then deleted."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import bindparam, delete, insert, select

from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx

_T = schema.secret
_NEW = Statement(insert(_T), ("approval", "name", "sealed"))
_OF = Statement(select(_T).where(_T.c.approval == bindparam("approval")))
_DROP = Statement(delete(_T).where(_T.c.approval == bindparam("approval")))


def keep(tx: Tx, approval: int, secrets: Mapping[str, bytes]) -> None:
    """Store the sealed values of an approval in place of those it had."""
    drop(tx, approval)
    for name, sealed in secrets.items():
        tx.run(_NEW, approval=approval, name=name, sealed=sealed)


def sealed_of(reader: Reader, approval: int) -> dict[str, bytes]:
    """Name -> sealed value."""
    return {row["name"]: bytes(row["sealed"]) for row in reader.all(_OF, approval=approval)}


def drop(tx: Tx, approval: int) -> None:
    """Delete them."""
    tx.run(_DROP, approval=approval)
