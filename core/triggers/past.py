"""What the log says of a trigger, and what there was for it to look at."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import BigInteger, bindparam, func, select

from core.audit.canonical import parse
from core.audit.entry import decode
from core.clock import rfc3339
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement

SHOWN = 10
LOOKED_AT = 200
"""Entries about one trigger among which those that held it back are looked for."""
LOOKED_BACK = 10_000
"""Entries of the log among which one that it looks at is looked for."""

_LOG, _VALUES = schema.log, schema.log_value
_HEAD = Statement(select(func.max(_LOG.c.seq).label("head")))
_ABOUT = Statement(
    select(_LOG.c.seq, _LOG.c.event, _LOG.c.entry)
    .where(_LOG.c.subject == bindparam("subject"))
    .order_by(_LOG.c.seq.desc())
    .limit(LOOKED_AT)
)
_MESSAGE = Statement(select(_VALUES.c.value).where(_VALUES.c.seq == bindparam("seq"), _VALUES.c.field == "message"))
_OF_EVENT = Statement(
    select(_LOG.c.seq)
    .where(_LOG.c.seq > bindparam("after", type_=BigInteger()), _LOG.c.event == bindparam("event"))
    .order_by(_LOG.c.seq.desc())
    .limit(bindparam("count", type_=BigInteger()))
)


def held_back(reader: Reader, name: str, *, with_words: bool) -> list[dict[str, Any]]:
    """The last times that the log says it was held back, newest first; what failed in words where the reader may know."""
    found = [each for each in reader.all(_ABOUT, subject=f"trigger:{name}") if each["event"] == "trigger:suppressed"]
    return [_held(reader, each["seq"], bytes(each["entry"]), with_words=with_words) for each in found[:SHOWN]]


def _held(reader: Reader, seq: int, stored: bytes, *, with_words: bool) -> dict[str, Any]:
    entry = decode(stored)
    said = reader.one(_MESSAGE, seq=seq) if with_words else None
    return {
        "seq": seq,
        "at": rfc3339(entry.ts),
        "why": entry.details["why"],
        "occasion": entry.details["occasion"],
        "count": entry.details["count"],
        "message": parse(bytes(said["value"])) if said is not None else None,
    }


def latest(reader: Reader, events: Collection[str], count: int) -> list[int]:
    """The seqs of the last entries of these events, newest first; only the end of the log is looked through."""
    row = reader.one(_HEAD)
    after = max(0, int(row["head"] or 0) - LOOKED_BACK) if row is not None else 0
    found = [each["seq"] for event in events for each in reader.all(_OF_EVENT, after=after, event=event, count=count)]
    return sorted(found, reverse=True)[:count]
