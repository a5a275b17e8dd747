"""What it costs to list and to decide among few open approvals and among very many."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.filled import copied, inbound, made_one
from config.hub import build
from core.approvals.approval import find
from core.approvals.listing import listing
from core.approvals.view import view_of
from core.store.rows import Reader
from hub.contracts import Command, Reply
from hub.hub import Hub

FEW, MANY = 100, 100_000
PEOPLE = ("ana", "bo", "eve", "fay")
"""Too few for the policy, so that what they decide on stays under review."""
CONFIG = """\
version: 1
public_url: http://127.0.0.1:8000
people:
  ana: {name: Ana Ruiz, groups: [sre, admins]}
  bo:  {name: Bo Lind, groups: [sre]}
  eve: {name: Eve Falk, groups: [sre]}
  fay: {name: Fay Moe, groups: [sre]}
  gil: {name: Gil Roy, groups: [sre]}
  cai: {name: Cai Wu}
  dee: {name: Dee Okoye, groups: [security]}
agents: {bot: {owner: cai}}
limits: {commands: 100000/s, burst: 100000, agents: {open: 100000, per_hour: 100000}}
actions:
  note: {title: "Note {text}", params: {text: {type: string}}, apply: {command: ["/bin/echo", "{text}"]}}
policies:
  - {name: default, require: [{group: sre, count: 5}], review_expires: 30d}
"""


async def listed(count: int, rounds: int = 30) -> dict[str, float]:
    """Milliseconds for a first page in process, as the typed command and as the list that HTTP gives."""
    async with _hub(count) as hub:
        return {
            "queue all ms": await _median(lambda: _say(hub, "ana", "queue all"), rounds),
            "queue ms": await _median(lambda: _say(hub, "ana", "queue"), rounds),
            "mine, nothing ms": await _median(lambda: _list(hub, "dee", mine=True), rounds),
            "failed, none ms": await _median(lambda: _list(hub, "ana", state="failed"), rounds),
            "open ms": await _median(lambda: _list(hub, "ana", state="open"), rounds),
        }


async def decided(decisions: int = 390) -> dict[str, float]:
    """The median milliseconds of a decision with few and with many open, taken in turns, and their ratio."""
    async with _hub(FEW) as few, _hub(MANY) as many:
        took: dict[Hub, list[float]] = {few: [], many: []}
        for at in range(decisions):
            for hub in (few, many) if at % 2 else (many, few):
                number, who = at % (FEW - 1) + 2, PEOPLE[at // (FEW - 1)]
                took[hub].append(await _decide(hub, number, who))
        first, second = median(took[few]), median(took[many])
        queued = await _behind(many)
    return {
        f"{FEW} open ms": first * 1000,
        f"{MANY:,} open ms": second * 1000,
        "ratio": second / first,
        "behind a list ms": queued * 1000,
    }


async def _behind(hub: Hub) -> float:
    """The median seconds of a decision that comes while somebody lists everything."""
    took = []
    for at in range(20):
        lists = [asyncio.create_task(_say(hub, "ana", "queue all")) for _ in range(4)]
        await asyncio.sleep(0)
        took.append(await _decide(hub, FEW + 1 + at, "ana"))
        await asyncio.gather(*lists)
    return median(took)


@asynccontextmanager
async def _hub(count: int) -> AsyncIterator[Hub]:
    """A hub with that many requests under review: one that was made, and copies of its row."""
    with tempfile.TemporaryDirectory() as folder:
        settings = await made_one(Path(folder), CONFIG)
        copied(settings, count)
        async with build(settings) as hub:
            yield hub


async def _decide(hub: Hub, number: int, who: str) -> float:
    digest = (await hub.db.read(find, 1)).digest
    began = time.perf_counter()
    reply = await hub.handle(
        inbound(who, command=Command(verb="approve", args={"ids": [f"A{number}"], "digest": digest}))
    )
    assert reply.ok, reply.text
    return time.perf_counter() - began


async def _say(hub: Hub, who: str, text: str) -> Reply:
    reply = await hub.handle(inbound(who, text=text))
    assert reply.ok, reply.text
    return reply


async def _list(hub: Hub, who: str, **asked: Any) -> Any:
    viewer = hub.world.people.find(who)
    assert viewer is not None

    def page(reader: Reader) -> list[dict[str, Any]]:
        return [view_of(reader, hub.world, each) for each in listing(reader, hub.world, viewer=viewer, **asked)]

    return await hub.db.read(page)


async def _median(work: Callable[[], Awaitable[Any]], rounds: int) -> float:
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        await work()
        took.append((time.perf_counter() - began) * 1000)
    return median(took)
