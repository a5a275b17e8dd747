"""How many triggers led to an entry of the log, one after the other."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from core import ids
from core.audit.log import Committed
from core.errors import Invalid
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement

_DEPTH = Statement(select(schema.approval.c.depth).where(schema.approval.c.id == bindparam("id")))
_LEASE = Statement(select(schema.lease.c.approval).where(schema.lease.c.id == bindparam("id")))


def depth_of(reader: Reader, entry: Committed) -> int:
    """As the entry says; else that of the approval that it is about, or whose lease it is about; else 0."""
    said = entry.details.get("depth")
    if type(said) is int:
        return said
    number = _approval(reader, entry.subject or "")
    row = reader.one(_DEPTH, id=number) if number is not None else None
    return int(row["depth"]) if row is not None else 0


def _approval(reader: Reader, subject: str) -> int | None:
    letter = subject[:1]
    if letter not in ("A", "L"):
        return None
    try:
        number = ids.parse(letter, subject)
    except Invalid:
        return None
    if letter == "A":
        return number
    row = reader.one(_LEASE, id=number)
    return row["approval"] if row is not None else None
