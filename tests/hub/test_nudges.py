"""Reminders and escalations through a whole hub, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hubs import Bench, Chat, make_hub, running, until

from core.approvals.nudge import next_deadline, nudge
from core.clock import ManualClock

pytestmark = pytest.mark.anyio

PEOPLE = """
people:
  ana: {name: Ana Ruiz, email: ana@example.com, groups: [admins]}
  bo:  {name: Bo Lind, email: bo@example.com, groups: [sre]}
  cai: {name: Cai Wu, email: cai@example.com, groups: [sre]}
  dee: {name: Dee Okoye, email: lead@example.com, groups: [leads]}
"""
POLICY = """
policies:
  - name: default
    require: [{group: sre, count: 2}]
    remind: 10m
    escalate: [{after: 15m, to: leads}, {after: 40m, to: ana}]
"""
CHANNELS = "channels: {chat: {adapter: chat}}\nlimits: {commands: 1000/s, burst: 1000}\n"


@asynccontextmanager
async def bench_in(folder: Path, clock: ManualClock) -> AsyncIterator[Bench]:
    hub = make_hub(folder, people=PEOPLE, policies=POLICY, channels=CHANNELS, adapters={"chat": Chat}, clock=clock)
    async with running(hub) as bench:
        yield bench


def minutes(clock: ManualClock, bench: Bench, count: float) -> None:
    clock.advance(count * 60)
    bench.hub.timers.wake()


async def test_who_was_asked_is_reminded_with_growing_pauses_and_others_are_asked_as_well(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with bench_in(tmp_path, clock) as bench:
        chat: Any = bench.channels["chat"]
        name = await bench.request("hello")
        await until(lambda: len(chat.posts) >= 2)
        assert chat.at("@lead") == []

        minutes(clock, bench, 10.1)
        await until(lambda: _count(bench, "approval:reminded", 1))
        await until(lambda: any(post.event == "approval:reminded" for post in chat.at("@bo")))
        minutes(clock, bench, 5)
        await until(lambda: _count(bench, "approval:escalated", 1))
        await until(lambda: bool(chat.at("@lead")))
        seen = await bench.state(name)
        assert (seen["reminders"], seen["escalated"]) == (1, ["leads"])
        assert seen["requirements"][0]["count"] == 2

        digest = seen["digest"]
        assert (await bench.ask("dee", "approve", ids=[name], digest=digest)).code == "not_eligible"
        for person in ("bo", "cai"):
            assert (await bench.ask(person, "approve", ids=[name], digest=digest)).ok
        await bench.until_state(name, "COMPLETED")
        minutes(clock, bench, 60)
        assert await bench.hub.db.read(next_deadline) is None
        assert (await bench.events("approval:reminded"), await bench.events("approval:escalated")) == (
            ["approval:reminded"],
            ["approval:escalated"],
        )


async def test_what_is_due_happens_once_also_when_two_look_at_once(tmp_path: Path, clock: ManualClock) -> None:
    async with bench_in(tmp_path, clock) as bench:
        await bench.request("hello")
        clock.advance(11 * 60)
        world = bench.hub.world
        first, second = bench.hub.db.write(nudge, world), bench.hub.db.write(nudge, world)
        assert sorted([await first, await second]) in ([0, 0], [0, 1])
        assert await bench.events("approval:reminded") == ["approval:reminded"]


async def test_a_decision_in_the_same_instant_wins_or_loses_cleanly(tmp_path: Path, clock: ManualClock) -> None:
    async with bench_in(tmp_path, clock) as bench:
        name = await bench.request("hello")
        digest = (await bench.state(name))["digest"]
        clock.advance(10 * 60 + 1)
        due = bench.hub.db.write(nudge, bench.hub.world)
        rejected = await bench.ask("bo", "reject", ids=[name], digest=digest, comment="no")
        await due
        assert rejected.ok
        assert (await bench.state(name))["state"] == "REJECTED"
        assert await bench.hub.db.read(next_deadline) is None


async def _count(bench: Bench, event: str, count: int) -> bool:
    return (await bench.events(event)).count(event) >= count
