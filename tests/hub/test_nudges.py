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
from core.store.rows import Reader
from hub.contracts import DeliveryFailed, Post
from hub.outbox import find

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


class Ringing(Chat):
    """A channel where an edited card tells nobody."""

    def __init__(self, channel: Any, hub: Any) -> None:
        super().__init__(channel, hub)
        self.rung: list[tuple[str, str, tuple[str, ...]]] = []
        """(copy, reminder, who was named)."""
        self.refusals: list[Exception] = []
        """Raised one after the other after the message was taken."""
        self.rings = 0

    async def remind(self, reference: str, post: Post) -> str:
        self.rings += 1
        if self.refusals:
            raise self.refusals.pop(0)
        assert post.reminder is not None
        self.rung.append((reference, post.reminder.key, tuple(each.id for each in post.reminder.people)))
        return reference


@asynccontextmanager
async def ringing_in(folder: Path, clock: ManualClock, ask: str = "") -> AsyncIterator[tuple[Bench, Ringing]]:
    policies = POLICY.replace("remind: 10m", f"remind: 10m\n    ask: [{ask}]" if ask else "remind: 10m")
    hub = make_hub(folder, people=PEOPLE, policies=policies, channels=CHANNELS, adapters={"chat": Ringing}, clock=clock)
    hub.delivery._draw = lambda: 0.0
    hub.delivery._poll_seconds = 0.05
    async with running(hub) as bench:
        channel = bench.channels["chat"]
        yield bench, channel


async def settled(bench: Bench) -> None:
    """Every copy shows what it shall."""

    async def nothing_waits() -> bool:
        return not any(each.state == "pending" for each in await bench.hub.db.read(_copies))

    await until(nothing_waits)


def _copies(reader: Reader) -> list[Any]:
    return [find(reader, number) for number in range(1, 9) if find(reader, number) is not None]


async def test_a_reminder_is_a_message_of_its_own_to_those_who_can_still_act(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ringing_in(tmp_path, clock) as (bench, chat):
        name = await bench.request("hello")
        digest = (await bench.state(name))["digest"]
        assert (await bench.ask("bo", "approve", ids=[name], digest=digest)).ok
        minutes(clock, bench, 10.1)
        await until(lambda: bool(chat.rung))
        await settled(bench)
        assert [people for _, _, people in chat.rung] == [("cai",)]
        assert "@cai" in chat.rung[0][0]

        assert (await bench.ask("ana", "comment", ids=[name], comment="any news?")).ok
        await settled(bench)
        assert len(chat.rung) == 1

        minutes(clock, bench, 20.1)
        await until(lambda: len(chat.rung) == 2)
        assert len({key for _, key, _ in chat.rung}) == 2


async def test_in_a_room_those_are_named_who_are_still_waited_for(tmp_path: Path, clock: ManualClock) -> None:
    async with ringing_in(tmp_path, clock, ask='"chat:#prod"') as (bench, chat):
        name = await bench.request("hello")
        await settled(bench)
        minutes(clock, bench, 10.1)
        await until(lambda: bool(chat.rung))
        assert [people for _, _, people in chat.rung] == [("bo", "cai")]
        digest = (await bench.state(name))["digest"]
        assert (await bench.ask("cai", "approve", ids=[name], digest=digest)).ok
        minutes(clock, bench, 20.1)
        await until(lambda: len(chat.rung) >= 2)
        assert chat.rung[-1][2] == ("bo",)


async def test_a_reminder_that_the_channel_wants_later_is_carried_once(tmp_path: Path, clock: ManualClock) -> None:
    async with ringing_in(tmp_path, clock, ask='"chat:#prod"') as (bench, chat):
        await bench.request("hello")
        await settled(bench)
        chat.refusals = [DeliveryFailed("slow down", throttled=True, retry_after_seconds=0.01, only_here=True)]
        minutes(clock, bench, 10.1)
        await until(lambda: chat.rings == 1)
        await until(lambda: _advanced(clock, chat))
        await settled(bench)
        assert (chat.rings, len(chat.rung)) == (2, 1)


async def test_a_reminder_whose_fate_nobody_knows_is_not_a_second_message(tmp_path: Path, clock: ManualClock) -> None:
    async with ringing_in(tmp_path, clock, ask='"chat:#prod"') as (bench, chat):
        await bench.request("hello")
        await settled(bench)
        chat.refusals = [DeliveryFailed("the connection was lost after the message left")]
        minutes(clock, bench, 10.1)
        await until(lambda: chat.rings == 1)
        await settled(bench)
        assert (chat.rings, chat.rung) == (1, [])
        assert "delivery:failed" in await bench.events("delivery:")
        minutes(clock, bench, 20.1)
        await until(lambda: len(chat.rung) == 1)


async def test_a_restart_reminds_nobody_again(tmp_path: Path, clock: ManualClock) -> None:
    async with ringing_in(tmp_path, clock, ask='"chat:#prod"') as (bench, chat):
        await bench.request("hello")
        await settled(bench)
        minutes(clock, bench, 10.1)
        await until(lambda: bool(chat.rung))
        await settled(bench)
    async with ringing_in(tmp_path, clock, ask='"chat:#prod"') as (bench, chat):
        assert (await bench.ask("ana", "comment", ids=["A1"], comment="any news?")).ok
        await settled(bench)
        assert chat.rings == 0


def _advanced(clock: ManualClock, chat: Ringing) -> bool:
    """Whether it was carried; time goes on meanwhile."""
    clock.advance(0.1)
    return bool(chat.rung)
