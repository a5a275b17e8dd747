"""Schedules as they come due: each gives its command once, as its owner of now, whichever process is first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from commands.scheduling import SCHEDULABLE
from commands.verb import Call, Verb
from core import ids
from core.cause import Cause
from core.clock import SECOND
from core.people.assurance import Assurance
from core.people.directory import HUB, Principal
from core.schedules.firing import due, next_due, pass_over, settle, take, turn_of
from core.schedules.schedule import Schedule, answering, end
from core.schedules.timing import Turn
from core.store.database import Database
from core.store.tx import Tx
from core.world import World
from hub.pipeline import Answer, Occasion

_TICK_SECONDS = 1.0

Give = Callable[[Call, Verb, Mapping[str, Any], Occasion], Awaitable[Answer]]
Tell = Callable[[Tx, Principal, str, str], None]
"""(transaction, person, what it is about, words): the person will be told."""

logger = logging.getLogger("interlock.schedules")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """One turn of one schedule, as the pipeline takes it."""

    schedule: Schedule
    turn: Turn
    people: tuple[Principal, ...]
    tell: Tell

    def take(self, tx: Tx) -> bool:
        return take(tx, self.schedule, self.turn)

    def settle(self, tx: Tx, answer: Answer) -> None:
        approval, code = None, "ok"
        if answer.refusal is not None:
            code = answer.refusal.code
        elif answer.reply is not None:
            code = answer.reply.code or "ok"
            approval = ids.parse("A", answer.reply.approval["id"]) if answer.reply.approval is not None else None
        settle(tx, self.schedule, self.turn, code=code, approval=approval)
        why = answer.refusal.message if answer.refusal is not None else None
        if why is not None and code not in (
            self.schedule.last_code,
            "budget",
        ):  # said once; a budget's end says so itself
            self.say(tx, f"{self.schedule.name} was refused: {why}")

    def say(self, tx: Tx, text: str) -> None:
        """Its owner, or who answers for its owner, is told."""
        for person in self.people:
            self.tell(tx, person, self.schedule.name, text)


class Scheduler:
    """Serves what is due. A process that is late only makes times missed; which one serves them is guarded."""

    def __init__(self, db: Database, *, give: Give, world: Callable[[], World], tell: Tell) -> None:
        self._db = db
        self._give = give
        self._world = world
        self._tell = tell
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """A schedule may be due earlier."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._woken.clear()
            pause = await self._pause()
            if not pause:
                await self.serve()
                pause = await self._pause() or _TICK_SECONDS  # what could not be taken is tried again, not at once
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _pause(self) -> float:
        first = await self._db.read(next_due)
        return (
            min(_TICK_SECONDS, max(0.0, (first - self._db.now_us()) / SECOND)) if first is not None else _TICK_SECONDS
        )

    async def serve(self) -> None:
        """Every schedule that is due has had its turn, or waits for the next look."""
        for schedule in await self._db.read(due):
            try:
                await self._serve(schedule)
            except Exception:
                logger.exception("%s could not be served; it is tried again", schedule.name)

    async def _serve(self, schedule: Schedule) -> None:
        world = self._world()
        owner, verb = world.people.find(schedule.owner), SCHEDULABLE.get(schedule.verb)
        if owner is None or verb is None:
            why = "its owner is no longer there" if owner is None else f"{schedule.verb} cannot be scheduled"
            await self._db.write(_end, schedule, why)
            return
        turn = turn_of(schedule, self._db.now_us())
        owners = [found for each in sorted(answering(world, schedule)) if (found := world.people.find(each))]
        occasion = _Due(schedule=schedule, turn=turn, people=tuple(owners) or (owner,), tell=self._tell)
        if turn.due is None:
            await self._db.write(_pass_over, occasion)
            return
        call = Call(
            world=world,
            principal=owner,
            channel=schedule.channel,
            assurance=Assurance(schedule.assurance),
            may_decide=False,
            address=schedule.address,
            cause=Cause(by=schedule.name),
        )
        await self._give(call, verb, schedule.args, occasion)


def _end(tx: Tx, schedule: Schedule, why: str) -> None:
    end(tx, schedule, by=HUB.id, channel=None, why=why)


def _pass_over(tx: Tx, occasion: _Due) -> None:
    schedule, turn = occasion.schedule, occasion.turn
    if pass_over(tx, schedule, turn):
        times = "its time" if turn.missed == 1 else f"{turn.missed} times"
        occasion.say(
            tx, f"{schedule.name} missed {times} while the hub was not there; `fire {schedule.name}` runs it now"
        )
