"""A schedule as it is stored, and what its owner can do with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import BigInteger, bindparam, func, insert, literal_column, null, select, update

from core import ids
from core.errors import Conflict, Forbidden, TooLarge
from core.people.assurance import Assurance
from core.people.directory import Principal
from core.schedules.timing import Timing
from core.store import schema
from core.store.encoding import dump, load
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World

MOST_OF_ONE = 50
"""Schedules that one principal may have at once."""
MOST_CHARACTERS = 16_384
"""Of a command's arguments."""

Missed = Literal["skip", "run-once"]

_T = schema.schedule
_NEW = Statement(insert(_T), tuple(column.name for column in _T.columns))
_FIND = Statement(select(_T).where(_T.c.id == bindparam("id")))
_LIVING = Statement(select(_T).where(_T.c.state != literal_column("'ended'")).order_by(_T.c.id))
_COUNT = Statement(
    select(func.count().label("n")).where(_T.c.owner == bindparam("owner"), _T.c.state != literal_column("'ended'"))
)
_PAUSE = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.state == literal_column("'active'"))
    .values(state=literal_column("'paused'"), paused_by=bindparam("by"), next_at=null(), due_at=null())
)
_UNPAUSE = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.state == literal_column("'paused'"))
    .values(
        state=literal_column("'active'"),
        paused_by=null(),
        next_at=bindparam("next_at", type_=BigInteger()),
        due_at=bindparam("due_at", type_=BigInteger()),
    )
)
_END = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.state != literal_column("'ended'"))
    .values(
        state=literal_column("'ended'"),
        ended_at=bindparam("at"),
        ended=bindparam("why"),
        next_at=null(),
        due_at=null(),
        forced_by=null(),
    )
)
_FORCE = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.state != literal_column("'ended'"), _T.c.forced_by.is_(None))
    .values(due_at=bindparam("at"), forced_by=bindparam("by"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The stored columns, `args` decoded. Times are microseconds since 1970."""

    id: int
    owner: str
    channel: str
    address: str | None
    assurance: int
    verb: str
    args: Mapping[str, Any]
    cron: str | None
    once_at: int | None
    timezone: str
    missed: Missed
    state: Literal["active", "paused", "ended"]
    next_at: int | None
    due_at: int | None
    forced_by: str | None
    paused_by: str | None
    created_at: int
    ended_at: int | None
    ended: str | None
    fired: int
    missed_times: int
    last_at: int | None
    last_code: str | None
    last_approval: int | None

    @property
    def name(self) -> str:
        """The id that people type: `S3`."""
        return ids.show("S", self.id)

    @property
    def timing(self) -> Timing:
        """When it comes due."""
        return Timing(timezone=self.timezone, cron=self.cron, at=self.once_at)


_FIELDS = tuple(Schedule.__dataclass_fields__)


def from_row(row: Row) -> Schedule:
    """The schedule of a stored row."""
    values = {field: row[field] for field in _FIELDS}
    return Schedule(**{**values, "args": load(row["args"])})


def find(reader: Reader, number: int) -> Schedule:
    """The schedule with that number. Raises NotFound."""
    row = reader.one(_FIND, id=number)
    if row is None:
        raise ids.missing("S", number)
    return from_row(row)


def living(reader: Reader) -> list[Schedule]:
    """Every schedule that has not ended."""
    return [from_row(row) for row in reader.all(_LIVING)]


def create(
    tx: Tx,
    *,
    by: Principal,
    channel: str,
    address: str | None,
    assurance: Assurance,
    timing: Timing,
    missed: Missed,
    verb: str,
    args: Mapping[str, Any],
) -> Schedule:
    """The command is given at its times, as `by`. Raises Conflict `too_many`, TooLarge `too_large`."""
    row = tx.one(_COUNT, owner=by.id)
    if row is not None and row["n"] >= MOST_OF_ONE:
        raise Conflict("too_many", f"you have {MOST_OF_ONE} schedules, which is the limit; end one first")
    stored = dump(dict(args))
    if len(stored) > MOST_CHARACTERS:
        raise TooLarge("too_large", f"a scheduled command has at most {MOST_CHARACTERS:,} characters")
    number = tx.next_id("schedule")
    next_at = timing.after(tx.now_us) or timing.at
    values: dict[str, Any] = {
        "id": number,
        "owner": by.id,
        "channel": channel,
        "address": address,
        "assurance": int(assurance),
        "verb": verb,
        "args": stored,
        "cron": timing.cron,
        "once_at": timing.at,
        "timezone": timing.timezone,
        "missed": missed,
        "state": "active",
        "next_at": next_at,
        "due_at": next_at,
        "created_at": tx.now_us,
        "fired": 0,
        "missed_times": 0,
    }
    tx.run(_NEW, **{**dict.fromkeys(column.name for column in _T.columns), **values})
    name = ids.show("S", number)
    tx.record(
        "schedule:created",
        actor=by.id,
        subject=name,
        channel=channel,
        details={"verb": verb, "cron": timing.cron, "at": timing.at, "timezone": timing.timezone, "missed": missed},
        private={"command": stored},
    )
    return find(tx, number)


def demand_control(world: World, schedule: Schedule, by: Principal) -> None:
    """Nothing, for its owner, who answers for its owner, and the right `automation`. Raises Forbidden `not_yours`."""
    if by.id != schedule.owner and by.id not in answering(world, schedule) and not _administers(world, by):
        raise Forbidden("not_yours", f"{schedule.name} is of {schedule.owner}; this needs the right automation")


def answering(world: World, schedule: Schedule) -> frozenset[str]:
    """The people who answer for the agent or service that owns it."""
    owner = world.people.find(schedule.owner)
    return owner.owners if owner is not None else frozenset()


def _administers(world: World, by: Principal) -> bool:
    return world.rights.has(by, "automation")


def pause(tx: Tx, schedule: Schedule, *, by: Principal, channel: str) -> Schedule:
    """It gives no command until `unpause`; times meanwhile do not count as missed. Raises Conflict `wrong_state`."""
    if tx.run(_PAUSE, w_id=schedule.id, by=by.id) != 1:
        raise Conflict("wrong_state", f"{schedule.name} is {schedule.state}, not active")
    tx.record("schedule:paused", actor=by.id, subject=schedule.name, channel=channel)
    return find(tx, schedule.id)


def unpause(tx: Tx, world: World, schedule: Schedule, *, by: Principal, channel: str) -> Schedule:
    """It is active again, from its next time on.

    Raises Forbidden `paused_by_other` for an owner whom an administrator paused; Conflict (`wrong_state`, `past`).
    """
    theirs = {schedule.owner, *answering(world, schedule)}
    if schedule.paused_by is not None and schedule.paused_by not in theirs and not _administers(world, by):
        raise Forbidden("paused_by_other", f"{schedule.paused_by} paused {schedule.name}; ask them")
    next_at = schedule.timing.after(tx.now_us)
    if schedule.state == "paused" and next_at is None:
        raise Conflict("past", f"the time of {schedule.name} is over; unschedule it and make another")
    due_at = tx.now_us if schedule.forced_by is not None else next_at
    if tx.run(_UNPAUSE, w_id=schedule.id, next_at=next_at, due_at=due_at) != 1:
        raise Conflict("wrong_state", f"{schedule.name} is {schedule.state}, not paused")
    tx.record("schedule:unpaused", actor=by.id, subject=schedule.name, channel=channel, details={"next": next_at})
    return find(tx, schedule.id)


def end(tx: Tx, schedule: Schedule, *, by: str, channel: str | None, why: str) -> Schedule:
    """It gives no more commands. Raises Conflict `ended`."""
    if tx.run(_END, w_id=schedule.id, at=tx.now_us, why=why) != 1:
        raise Conflict("ended", f"{schedule.name} has ended already")
    tx.record("schedule:ended", actor=by, subject=schedule.name, channel=channel, details={"why": why})
    return find(tx, schedule.id)


def force(tx: Tx, schedule: Schedule, *, by: Principal) -> None:
    """Its command is given now, once, beside its times, also while it is paused.

    The caller has checked who may: never somebody who could decide on what comes of it. Raises Conflict (`ended`,
    `firing`).
    """
    if tx.run(_FORCE, w_id=schedule.id, at=tx.now_us, by=by.id) != 1:
        if schedule.state == "ended":
            raise Conflict("ended", f"{schedule.name} has ended")
        raise Conflict("firing", f"{schedule.name} is about to give its command")
