"""Where each trigger stands in the log, whether it is switched on, and what came of it last."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, func, insert, literal_column, null, select, update

from core import ids
from core.clock import SECOND, rfc3339
from core.errors import Conflict
from core.people.directory import HUB, Principal
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.triggers.past import SHOWN
from core.world import Trigger

MOST_DEPTH = 3
"""How many triggers may follow each other: the fourth in a row is held back."""

_T, _F = schema.trigger, schema.trigger_firing
_seq = bindparam("seq", type_=BigInteger())
_HEAD = Statement(select(func.max(schema.log.c.seq).label("head")))
_ALL = Statement(select(_T))
_FIND = Statement(select(_T).where(_T.c.name == bindparam("name")))
_NEW = Statement(insert(_T), ("name", "seq", "suppressed"))
_GONE = Statement(delete(_T).where(_T.c.name == bindparam("name")))
_ADVANCE = Statement(update(_T).where(_T.c.name == bindparam("w_name"), _T.c.seq < _seq).values(seq=_seq))
_TAKE = Statement(
    update(_T).where(_T.c.name == bindparam("w_name"), _T.c.seq < _seq, _T.c.disabled_at.is_(None)).values(seq=_seq)
)
_DISABLE = Statement(
    update(_T)
    .where(_T.c.name == bindparam("w_name"), _T.c.disabled_at.is_(None))
    .values(disabled_at=bindparam("at"), disabled_by=bindparam("by"))
)
_ENABLE = Statement(
    update(_T)
    .where(_T.c.name == bindparam("w_name"), _T.c.disabled_at.is_not(None))
    .values(disabled_at=null(), disabled_by=null(), seq=_seq)
)
_HELD = Statement(
    update(_T).where(_T.c.name == bindparam("w_name")).values(suppressed=_T.c.suppressed + literal_column("1"))
)
_SAID = Statement(
    update(_T)
    .where(_T.c.name == bindparam("w_name"))
    .values(suppressed=literal_column("0"), suppressed_at=bindparam("at"))
)
_FIRED = Statement(insert(_F), ("trigger", "occasion", "code", "approval", "depth", "at"))
_ONE = Statement(select(_F.c.at).where(_F.c.trigger == bindparam("trigger"), _F.c.occasion == bindparam("occasion")))
_RECENT = Statement(
    select(func.count().label("n")).where(_F.c.trigger == bindparam("trigger"), _F.c.at > bindparam("since"))
)
_LAST = Statement(
    select(_F, schema.approval.c.state)
    .outerjoin(schema.approval, schema.approval.c.id == _F.c.approval)
    .where(_F.c.trigger == bindparam("trigger"))
    .order_by(_F.c.at.desc(), _F.c.occasion.desc())
    .limit(SHOWN)
)
_FORGET = Statement(delete(_F).where(_F.c.at < bindparam("before")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one trigger stands: every entry up to `seq` is behind it."""

    seq: int
    disabled_by: str | None
    suppressed: int


def standings(reader: Reader) -> dict[str, Standing]:
    """Name -> where it stands."""
    return {
        row["name"]: Standing(
            seq=row["seq"],
            disabled_by=(row["disabled_by"] or "?") if row["disabled_at"] is not None else None,
            suppressed=row["suppressed"],
        )
        for row in reader.all(_ALL)
    }


def sync(tx: Tx, names: Collection[str]) -> None:
    """Each of these triggers has its place: a new one at the end of the log, so that it never acts on the past."""
    known = {row["name"] for row in tx.all(_ALL)}
    for name in sorted(known - set(names)):
        tx.run(_GONE, name=name)
    head = _head(tx)
    for name in sorted(set(names) - known):
        tx.run(_NEW, name=name, seq=head, suppressed=0)


def _head(reader: Reader) -> int:
    row = reader.one(_HEAD)
    return int(row["head"] or 0) if row is not None else 0


def advance(tx: Tx, seqs: dict[str, int]) -> None:
    """What these triggers looked at, and did not match, is behind them."""
    for name, seq in seqs.items():
        tx.run(_ADVANCE, w_name=name, seq=seq)


def disable(tx: Tx, name: str, *, by: Principal, channel: str) -> None:
    """It acts no more until somebody enables it. Raises Conflict `wrong_state`."""
    if tx.run(_DISABLE, w_name=name, at=tx.now_us, by=by.id) != 1:
        raise Conflict("wrong_state", f"{name} is switched off already")
    tx.record("trigger:disabled", actor=by.id, subject=f"trigger:{name}", channel=channel)


def enable(tx: Tx, name: str, *, by: Principal, channel: str) -> None:
    """It acts again, on what happens from now on. Raises Conflict `wrong_state`."""
    if tx.run(_ENABLE, w_name=name, seq=_head(tx)) != 1:
        raise Conflict("wrong_state", f"{name} is switched on already")
    tx.record("trigger:enabled", actor=by.id, subject=f"trigger:{name}", channel=channel)


def take(tx: Tx, trigger: Trigger, *, occasion: str, seq: int | None) -> bool:
    """Whether this transaction acts for it on that occasion.

    False when another was first, when it was switched off, or when it acted as often as it may within its window; the
    last is held back visibly, and either way the entry is behind it.
    """
    if seq is not None and tx.run(_TAKE, w_name=trigger.name, seq=seq) != 1:
        return False
    row = tx.one(_FIND, name=trigger.name)
    if row is None or row["disabled_at"] is not None:
        return False
    if tx.one(_ONE, trigger=trigger.name, occasion=occasion) is not None:
        return False
    if acted(tx, trigger) >= trigger.most:
        _hold(tx, trigger, why="rate", occasion=occasion, message=None)
        return False
    return True


def acted(reader: Reader, trigger: Trigger) -> int:
    """How often it acted within its window."""
    since = reader.now_us - int(trigger.window_seconds * SECOND)
    row = reader.one(_RECENT, trigger=trigger.name, since=since)
    return int(row["n"]) if row is not None else 0


def hold_back(
    tx: Tx, trigger: Trigger, *, why: str, occasion: str, seq: int | None, message: str | None = None
) -> None:
    """What it matched, or failed on, is behind it and nothing was asked for; said once in its window, with how many."""
    if seq is None or tx.run(_TAKE, w_name=trigger.name, seq=seq) == 1:
        _hold(tx, trigger, why=why, occasion=occasion, message=message)


def _hold(tx: Tx, trigger: Trigger, *, why: str, occasion: str, message: str | None) -> None:
    tx.run(_HELD, w_name=trigger.name)
    row = tx.one(_FIND, name=trigger.name)
    if row is None:
        return
    last = row["suppressed_at"]
    if last is not None and tx.now_us - last < trigger.window_seconds * SECOND:
        return
    tx.run(_SAID, w_name=trigger.name, at=tx.now_us)
    tx.record(
        "trigger:suppressed",
        actor=HUB.id,
        subject=f"trigger:{trigger.name}",
        details={"why": why, "occasion": occasion, "count": row["suppressed"]},
        private={"message": message} if message is not None else {},
    )


def settle(tx: Tx, trigger: Trigger, *, occasion: str, depth: int, code: str, approval: int | None) -> None:
    """What came of it stands beside it and in the log: `ok`, or the code of a refusal."""
    values = {"trigger": trigger.name, "occasion": occasion, "code": code, "approval": approval}
    tx.run(_FIRED, **values, depth=depth, at=tx.now_us)
    tx.record(
        "trigger:fired",
        actor=trigger.principal,
        subject=f"trigger:{trigger.name}",
        details={
            "occasion": occasion,
            "depth": depth,
            "code": code,
            "approval": ids.show("A", approval) if approval is not None else None,
        },
    )


def last(reader: Reader, name: str) -> list[dict[str, Any]]:
    """The last times that it acted, newest first, with what came of them."""
    return [
        {
            "occasion": row["occasion"],
            "at": rfc3339(row["at"]),
            "code": row["code"],
            "approval": ids.show("A", row["approval"]) if row["approval"] is not None else None,
            "state": row["state"],
            "depth": row["depth"],
        }
        for row in reader.all(_LAST, trigger=name)
    ]


def forget(tx: Tx, before_us: int) -> None:
    """What it did before that is no longer listed; the log has it."""
    tx.run(_FORGET, before=before_us)
