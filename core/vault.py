"""What a channel must keep to itself: sealed values by name, in versions, so that two nodes never spend one twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, insert, null, or_, select, update

from core.clock import SECOND
from core.people.directory import HUB
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx

_T = schema.vault
_KEPT = Statement(select(_T).where(_T.c.channel == bindparam("channel")).order_by(_T.c.name))
_HERE = (_T.c.channel == bindparam("w_channel")) & (_T.c.name == bindparam("w_name"))
_NEW = Statement(insert(_T), ("channel", "name", "sealed", "version", "at"))
_FIND = Statement(select(_T).where(_HERE))
_REPLACE = Statement(
    update(_T)
    .where(_HERE, _T.c.version == bindparam("w_version"))
    .values(sealed=bindparam("sealed"), version=bindparam("version"), at=bindparam("at"), busy_until=null())
)
_CLAIM = Statement(
    update(_T)
    .where(
        _HERE,
        _T.c.version == bindparam("w_version"),
        or_(_T.c.busy_until.is_(None), _T.c.busy_until <= bindparam("now")),
    )
    .values(busy_until=bindparam("until"))
)
_TAKE = Statement(delete(_T).where(_HERE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One sealed value."""

    name: str
    sealed: bytes
    version: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the log says of a change: nothing secret."""

    event: str
    actor: str | None = None
    details: Mapping[str, Any]


def context(channel: str, name: str) -> str:
    """What a value of the vault is sealed for: it opens nowhere else."""
    return f"vault|{channel}|{name}"


def kept(reader: Reader, channel: str) -> list[Kept]:
    """Everything that the channel keeps."""
    return [
        Kept(name=row["name"], sealed=bytes(row["sealed"]), version=row["version"], at=row["at"])
        for row in reader.all(_KEPT, channel=channel)
    ]


def put(tx: Tx, channel: str, name: str, sealed: bytes, *, after: int | None, entry: Entry | None) -> bool:
    """The value is kept; False, and nothing changed, when the one there is not version `after` (None: any, or none)."""
    row = tx.one(_FIND, w_channel=channel, w_name=name)
    if row is None:
        if after is not None:
            return False
        tx.run(_NEW, channel=channel, name=name, sealed=sealed, version=1, at=tx.now_us)
    else:
        was = row["version"] if after is None else after
        if (
            tx.run(
                _REPLACE, w_channel=channel, w_name=name, w_version=was, sealed=sealed, version=was + 1, at=tx.now_us
            )
            == 0
        ):
            return False
    _record(tx, channel, entry)
    return True


def claim(tx: Tx, channel: str, name: str, version: int, seconds: float) -> bool:
    """Whether changing that version of the value is ours alone, for so long."""
    until = tx.now_us + int(seconds * SECOND)
    return tx.run(_CLAIM, w_channel=channel, w_name=name, w_version=version, now=tx.now_us, until=until) == 1


def take(tx: Tx, channel: str, name: str, entry: Entry | None) -> Kept | None:
    """The value, which is kept no more: only one caller ever gets it. None when it is not there."""
    row = tx.one(_FIND, w_channel=channel, w_name=name)
    if row is None or tx.run(_TAKE, w_channel=channel, w_name=name) == 0:
        return None
    _record(tx, channel, entry)
    return Kept(name=name, sealed=bytes(row["sealed"]), version=row["version"], at=row["at"])


def _record(tx: Tx, channel: str, entry: Entry | None) -> None:
    if entry is not None:
        tx.record(entry.event, actor=entry.actor or HUB.id, subject=channel, channel=channel, details=entry.details)
