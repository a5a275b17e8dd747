"""The requests of the past as the log tells them, a stretch of it at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import bindparam, func, literal_column, select

from core.audit.entry import Entry, decode
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement

_STRETCH = 2_000
_L, _V = schema.log.c, schema.log_value.c
_WANTED = ("approval:requested", "command:refused")
_ENTRIES = Statement(
    select(_L.seq, _L.entry)
    .where(
        _L.seq > bindparam("after"),
        _L.seq <= bindparam("up_to"),
        _L.event.in_([literal_column(f"'{event}'") for event in _WANTED]),
    )
    .order_by(_L.seq)
)
_PARAMS = Statement(
    select(_V.seq, _V.value).where(
        _V.seq > bindparam("after"), _V.seq <= bindparam("up_to"), _V.field == literal_column("'params'")
    )
)
_SIZE = Statement(select(func.max(_L.seq).label("size")))
_USES = Statement(select(_L.entry).where(_L.event == literal_column("'grant:used'")))
_TS = Statement(select(_L.ts).where(_L.seq == bindparam("seq")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Something that was asked for; `params` is None when they were erased or it was refused before it was made."""

    entry: Entry
    params: dict[str, Any] | None
    refused: str | None = None
    """The code with which it was refused."""


def asked(reader: Reader, *, since_us: int, progress: Callable[[int, int], object]) -> Iterator[Asked]:
    """Every request since then, oldest first; `progress` is told how many entries of how many were gone through.

    No stretch of the log is held longer than it takes to go through it, however long the log is.
    """
    row = reader.one(_SIZE)
    size = int(row["size"] or 0) if row is not None else 0
    start = after = _before(reader, since_us, size)
    while after < size:
        up_to = min(after + _STRETCH, size)
        params = {row["seq"]: bytes(row["value"]) for row in reader.all(_PARAMS, after=after, up_to=up_to)}
        for row in reader.all(_ENTRIES, after=after, up_to=up_to):
            entry = decode(bytes(row["entry"]))
            if entry.event == "approval:requested":
                given = params.get(row["seq"])
                yield Asked(entry=entry, params=orjson.loads(given) if given is not None else None)
            elif entry.details.get("verb") in ("request", "break-glass"):
                yield Asked(entry=entry, params=None, refused=str(entry.details.get("code")))
        after = up_to
        progress(after - start, size - start)


def by_grant(reader: Reader) -> frozenset[str]:
    """The requests that a grant approved, by id."""
    return frozenset(str(decode(bytes(row["entry"])).details["approval"]) for row in reader.all(_USES))


def _before(reader: Reader, since_us: int, size: int) -> int:
    """The last entry older than that: entries never go back in time, so it is found by halving."""
    low, high = 0, size
    while low < high:
        middle = (low + high + 1) // 2
        row = reader.one(_TS, seq=middle)
        if row is None or row["ts"] < since_us:
            low = middle
        else:
            high = middle - 1
    return low
