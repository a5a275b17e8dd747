"""Copies of requests that something else changed: a freeze that begins or ends, a delegation that is given or ends.

The log says what happened; each of these is looked for there, and every open request that it is about is planned anew,
so that its copies say so and whoever stands in is asked. How far that got is kept: a restart goes on where it ended,
and does twice what was under way. A wake-up is a hint; the poll finds what another node wrote.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select

from core.approvals.approval import Approval, find
from core.approvals.freeze import Freeze
from core.approvals.paging import PAGE, page_in
from core.approvals.rule import ballot_of
from core.approvals.states import State
from core.audit.entry import decode
from core.store import schema
from core.store.database import Database
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World

_EVENTS = ("freeze:created", "freeze:ended", "delegation:created", "delegation:ended")
_STATES = (State.DRAFT, State.REVIEWING, State.APPROVED)
_MOST_CAUSES = 200
_AT_ONCE = 20
"""Requests that one transaction plans anew; decisions come in between."""
_POLL_SECONDS = 2.0
_FAR = 10_000
"""Entries after which the position is kept although nothing had to be redrawn."""
_NAME = "redrawn"

_LOG, _FLAG = schema.log, schema.flag
_CAUSES = Statement(
    select(_LOG.c.seq, _LOG.c.entry)
    .where(_LOG.c.seq > bindparam("after"), _LOG.c.seq <= bindparam("head"), _LOG.c.event.in_(_EVENTS))
    .order_by(_LOG.c.seq)
    .limit(_MOST_CAUSES)
)
_HEAD = Statement(select(func.max(_LOG.c.seq).label("seq")))
_KEPT = Statement(select(_FLAG.c.value).where(_FLAG.c.name == bindparam("name")))
_KEEP = Statement(insert(_FLAG), ("name", "value", "at"))
_FORGET = Statement(delete(_FLAG).where(_FLAG.c.name == bindparam("name")))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cause:
    """One entry that changes how requests look."""

    resources: tuple[str, ...]
    delegator: str | None

    def concerns(self, world: World, approval: Approval) -> bool:
        """Whether the request looks different because of it."""
        if self.delegator is None:
            return Freeze(name="", resources=self.resources, reason="", until=0, by=None).covers(approval.resources)
        ballot = ballot_of(world, approval) if approval.state is State.REVIEWING else None
        return ballot is not None and ballot.eligible(self.delegator)


class Redrawing:
    """Plans anew what freezes and delegations changed. `plan` runs on the writer's thread, `changed` on the loop's."""

    def __init__(
        self,
        db: Database,
        world: Callable[[], World],
        plan: Callable[[Tx, World, Approval], None],
        changed: Callable[[Iterable[int]], None],
    ) -> None:
        self._db = db
        self._world = world
        self._plan = plan
        self._changed = changed
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something of that sort was written."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        kept = at = await self._db.read(_position)
        await self._db.write(_keep, at, locks=(_NAME,))
        while True:
            self._woken.clear()
            head, causes, seq = await self._db.read(_since, at)
            if causes:
                await self._redraw(causes)
            at = seq
            if causes or at - kept > _FAR:
                await self._db.write(_keep, at, locks=(_NAME,))
                kept = at
            if at < head:
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._woken.wait()

    async def _redraw(self, causes: list[_Cause]) -> None:
        world = self._world()
        for state in _STATES:
            after = 0
            while page := await self._db.read(page_in, state, after=after, most=PAGE):
                after = page[-1].id
                numbers = [each.id for each in page if any(cause.concerns(world, each) for cause in causes)]
                for some in _chunks(numbers):
                    await self._db.write(self._plan_all, world, some)
                    self._changed(some)

    def _plan_all(self, tx: Tx, world: World, numbers: list[int]) -> None:
        for number in numbers:
            self._plan(tx, world, find(tx, number))


def _chunks(numbers: list[int]) -> Iterator[list[int]]:
    for begin in range(0, len(numbers), _AT_ONCE):
        yield numbers[begin : begin + _AT_ONCE]


def _position(reader: Reader) -> int:
    """The entry up to which everything was redrawn; the newest one for a hub that never did."""
    row = reader.one(_KEPT, name=_NAME)
    if row is not None:
        return int(row["value"])
    newest = reader.one(_HEAD)
    return int((newest["seq"] if newest is not None else 0) or 0)


def _keep(tx: Tx, seq: int) -> None:
    row = tx.one(_KEPT, name=_NAME)
    if row is not None and int(row["value"]) >= seq:
        return  # another node is further
    tx.run(_FORGET, name=_NAME)
    tx.run(_KEEP, name=_NAME, value=str(seq), at=tx.now_us)


def _since(reader: Reader, after: int) -> tuple[int, list[_Cause], int]:
    """The newest entry, what happened after `after`, and up to which entry that is told."""
    newest = reader.one(_HEAD)
    head = int((newest["seq"] if newest is not None else 0) or 0)
    rows = reader.all(_CAUSES, after=after, head=head)
    told = head if len(rows) < _MOST_CAUSES else int(rows[-1]["seq"])
    return head, [_cause(decode(bytes(row["entry"])).details) for row in rows], told


def _cause(details: Any) -> _Cause:
    return _Cause(resources=tuple(details.get("resources", ())), delegator=details.get("delegator"))
