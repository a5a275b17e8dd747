"""What runs print, for exactly those who may see their approval: read on from any place, and followed as it comes.

Of a run under way in this process it is there at once. What an agent carries out, or another process, is found in the
database and looked for again and again; so is what a former hub left behind. Offsets mean the same everywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass

from core import ids
from core.apply.printed import Printed
from core.approvals.approval import find
from core.approvals.run import find_run
from core.approvals.seeing import may_see
from core.store.database import Database
from core.store.rows import Reader
from core.work.work import BY_AGENT, find_work
from core.world import World
from hub.contracts import Caller, Output
from hub.live import Live
from hub.news import principal_of

LOOK_SECONDS = 1.0
"""How long it takes to notice what a run prints elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the database has of it."""

    printed: Printed
    ended: bool


class Outputs:
    """Reads for many. A reader costs a place in the text and one piece; it is never waited for."""

    def __init__(self, db: Database, *, world: Callable[[], World], live: Mapping[int, Live]) -> None:
        self._db = db
        self._world = world
        self._live = live

    async def look(self, caller: Caller, run: str, offset: int) -> Output:
        """What there is now at or after `offset`, which may be nothing. Raises NotFound, also for what is hidden."""
        number = ids.parse("R", run)
        live = self._live.get(number)
        stored = await self._db.read(_stored, self._world(), caller, number)
        piece = (stored if live is None else live).printed.read(offset)
        ended = live is None and stored.ended
        return Output.nothing(run, offset, ended=ended) if piece is None else Output.of(run, piece)

    async def watch(self, caller: Caller, run: str, offset: int) -> AsyncGenerator[Output]:
        """Everything at or after `offset` as it comes; the last one says `ended`. Raises as `look` does, also later."""
        number = ids.parse("R", run)
        while True:
            world = self._world()
            live = self._live.get(number)
            stored = await self._db.read(_stored, world, caller, number)
            printed = (stored if live is None else live).printed
            while world is self._world():  # under another configuration it is asked anew who may see it
                news = None if live is None else live.news
                if (piece := printed.read(offset)) is not None:
                    offset = piece.next
                    yield Output.of(run, piece)
                elif news is not None and live is not None and not live.ended:
                    await news.wait()
                else:
                    break
            else:
                continue
            if live is None and stored.ended:
                yield Output.nothing(run, offset, ended=True)
                return
            if live is None:
                await asyncio.sleep(LOOK_SECONDS)


def _stored(reader: Reader, world: World, caller: Caller, number: int) -> Stored:
    found = find_run(reader, number)
    principal = principal_of(world, caller)
    if not may_see(world, principal, find(reader, found.approval)):
        raise ids.missing("R", number)
    work = find_work(reader, number) if found.process == BY_AGENT and found.ended_at is None else None
    if work is not None:
        return Stored(printed=Printed.of(work.output, work.dropped), ended=False)
    return Stored(printed=Printed.of(found.output or b"", found.output_dropped), ended=found.ended_at is not None)
