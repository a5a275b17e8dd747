"""Freezes of hub.yaml: the times that each makes of the clock, and the entries that say when one began and ended.

What is in force is worked out from the clock wherever it counts; the entries only make that visible. Which ones were
said to have begun is kept, so that each is said once, also after a restart, a reload and by several nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim
from sqlalchemy import bindparam, delete, insert, select

from core.approvals.flags import config_in_force
from core.clock import from_us, to_us
from core.people.directory import HUB
from core.store import schema
from core.store.encoding import dump, load
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import FreezeWindow, World

_PREFIX = "freeze:"
_T = schema.flag
_SAID = Statement(select(_T.c.name, _T.c.value).where(_T.c.name > _PREFIX, _T.c.name < "freeze;").order_by(_T.c.name))
_SAY = Statement(insert(_T), ("name", "value", "at"))
_FORGET = Statement(delete(_T).where(_T.c.name == bindparam("name")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A window that is in force: what it freezes, and until when (microseconds since 1970)."""

    resources: tuple[str, ...]
    until: int


def begun(window: FreezeWindow, now_us: int) -> Begun | None:
    """What `window` makes of this moment; None when it is not in force."""
    now = from_us(now_us)
    if window.cron is not None:
        until = last_begin(window, now) + timedelta(seconds=window.seconds)
    elif window.begin is not None and window.until is not None and window.begin <= now:
        until = window.until
    else:
        return None
    return Begun(resources=window.resources, until=to_us(until)) if until > now else None


def last_begin(window: FreezeWindow, now: datetime) -> datetime:
    """When the repeated `window` began last, up to `now`; its cron line is read in its own zone."""
    local = now.astimezone(ZoneInfo(window.timezone))
    return next(CronSim(window.cron or "", local + timedelta(seconds=1), reverse=True))


def unsaid(reader: Reader, world: World) -> bool:
    """Whether a window began or ended and no entry says so yet."""
    return _in_force(reader, world) != _said(reader)


def say(tx: Tx, world: World) -> int:
    """Entries say of every window whether it is in force; how many were new. Only the configuration in force is said."""
    if config_in_force(tx)[0] != world.version:
        return 0
    now, said = _in_force(tx, world), _said(tx)
    ended = [name for name, each in said.items() if now.get(name) != each]
    began = [name for name, each in now.items() if said.get(name) != each]
    for name in ended:
        tx.run(_FORGET, name=_PREFIX + name)
        details = {"configured": True, "resources": list(said[name].resources)}
        tx.record("freeze:ended", actor=HUB.id, subject=name, details=details)
    reasons = {window.name: window.reason for window in world.freezes}
    for name in began:
        told = {"resources": list(now[name].resources), "until": now[name].until}
        tx.run(_SAY, name=_PREFIX + name, value=dump(told), at=tx.now_us)
        tx.record(
            "freeze:created",
            actor=HUB.id,
            subject=name,
            details={"configured": True, **told},
            private={"reason": reasons[name]},
        )
    return len(ended) + len(began)


def _in_force(reader: Reader, world: World) -> dict[str, Begun]:
    now_us = reader.now_us
    return {window.name: found for window in world.freezes if (found := begun(window, now_us)) is not None}


def _said(reader: Reader) -> dict[str, Begun]:
    kept = {row["name"].removeprefix(_PREFIX): load(row["value"]) for row in reader.all(_SAID)}
    return {name: Begun(resources=tuple(each["resources"]), until=each["until"]) for name, each in kept.items()}
