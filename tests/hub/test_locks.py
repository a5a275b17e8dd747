"""Locks by hand, through a whole hub, with a clock that the test moves: queues, reminders, gifts, breaks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hubs import Bench, Chat, make_hub, running, until

from core.clock import ManualClock
from core.leases.reminding import next_reminder
from core.leases.ticking import next_deadline
from hub import notices
from hub.contracts import DeliveryFailed
from hub.locks import lapsing

pytestmark = pytest.mark.anyio

PEOPLE = """
people:
  ana: {name: Ana Ruiz, email: ana@example.com, groups: [admins, sre]}
  bo:  {name: Bo Lind, email: bo@example.com, groups: [sre]}
  cai: {name: Cai Wu, email: cai@example.com, groups: [sre]}
agents: {bot: {owner: ana}}
"""
CHANNELS = "channels: {chat: {adapter: chat}}\nlimits: {commands: 1000/s, burst: 1000}\n"


@asynccontextmanager
async def bench_in(folder: Path, clock: ManualClock) -> AsyncIterator[Bench]:
    hub = make_hub(folder, people=PEOPLE, channels=CHANNELS, adapters={"chat": Chat}, clock=clock)
    async with running(hub) as bench:
        yield bench


def chat_of(bench: Bench) -> Any:
    return bench.channels["chat"]


async def pass_time(bench: Bench, clock: ManualClock, seconds: float) -> None:
    """So much later; what the hub does for those who wait was done at every step of it."""
    while seconds > 0:
        step = min(seconds, 10.0)
        clock.advance(step)
        seconds -= step
        bench.hub.timers.wake()

        async def settled() -> bool:
            now = bench.hub.db.now_us()
            times = (await bench.hub.db.read(next_deadline), await bench.hub.db.read(next_reminder))
            return all(at is None or at > now for at in times) and not await bench.hub.db.read(lapsing)

        await until(settled)


async def told(bench: Bench, address: str, count: int = 1) -> str:
    """The newest of so many words that a person was told."""
    chat = chat_of(bench)
    await until(lambda: len(chat.told(address)) >= count)
    assert len(chat.told(address)) == count
    return str(chat.told(address)[-1])


async def test_who_comes_second_hears_who_holds_it_and_why_keeps_the_place_and_is_told_when_it_is_theirs(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with bench_in(tmp_path, clock) as bench:
        assert (await bench.say("ana", "lock env:prod for 2h because migration")).text.startswith(
            "L1: you hold env:prod"
        )
        waits = await bench.say("bo", "lock env:prod for 10m because hotfix")
        assert waits.ok
        assert "Ana Ruiz has env:prod (L1) until" in waits.text
        assert "migration" in waits.text
        assert "T2: you are 1st in the queue for env:prod" in waits.text
        third = await bench.say("cai", "lock env:prod/db")
        assert "2nd in the queue" in third.text
        listed = (await bench.say("cai", "locks")).text
        assert "L1  env:prod  Ana Ruiz  until" in listed and "T2  Bo Lind waits for env:prod, 1st" in listed

        await pass_time(bench, clock, 3600)
        assert chat_of(bench).told("@bo") == []
        assert (await bench.say("ana", "unlock L1")).ok
        assert "L2: env:prod is yours now, until" in await told(bench, "@bo")
        assert "Bo Lind" in (await bench.say("cai", "locks")).text

        assert (await bench.say("cai", "cancel T3")).text == "T3: cancelled"
        sent = await bench.events("delivery:")
        assert sent == ["delivery:sent"]


async def test_a_wait_is_estimated_from_how_long_such_leases_were_held(tmp_path: Path, clock: ManualClock) -> None:
    async with bench_in(tmp_path, clock) as bench:
        await bench.say("ana", "lock env:prod for 2h")
        assert "about" not in (await bench.say("bo", "lock env:prod for 1h")).text
        await pass_time(bench, clock, 720)
        await bench.say("ana", "unlock L1")
        await bench.say("ana", "lock env:prod")
        assert "you are 2nd in the queue, about 24m for" in (await bench.say("cai", "lock env:prod")).text


async def test_a_holder_is_reminded_once_before_the_end_and_again_after_extending(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with bench_in(tmp_path, clock) as bench:
        await bench.say("ana", "lock env:prod for 1h because migration")
        await pass_time(bench, clock, 55 * 60 - 10)
        assert chat_of(bench).told("@ana") == []
        await pass_time(bench, clock, 60)
        assert "L1: your lock on env:prod ends in about 5m" in await told(bench, "@ana")
        await pass_time(bench, clock, 60)
        extended = await bench.say("ana", "extend L1 30m")
        assert extended.ok, extended.text
        await pass_time(bench, clock, 60)
        await told(bench, "@ana", 1)
        await pass_time(bench, clock, 28 * 60)
        assert "ends in about" in await told(bench, "@ana", 2)
        await pass_time(bench, clock, 10 * 60)
        assert "your lock on env:prod has ended" in await told(bench, "@ana", 3)


async def test_a_lock_is_given_away_without_anybody_in_between(tmp_path: Path, clock: ManualClock) -> None:
    async with bench_in(tmp_path, clock) as bench:
        await bench.say("bo", "lock env:prod for 1h because migration")
        await bench.say("ana", "lock env:prod")
        assert (await bench.say("cai", "transfer L1 to @cai")).code == "not_found"
        assert (await bench.say("bo", "transfer L1 to @bot")).code == "unknown_person"
        given = await bench.say("bo", "transfer L1 to @cai")
        assert "Cai Wu has env:prod now, in place of L1" in given.text
        assert "Bo Lind gave you env:prod, until" in await told(bench, "@cai")
        assert (await bench.say("bo", "unlock L1")).code == "lease_lost"
        lock = given.data["lease"]["lock_id"]
        assert (await bench.say("ana", f"transfer {lock} to @bo")).ok, "who may break may also give away"
        assert "Ana Ruiz gave env:prod, which you had, to Bo Lind" in await told(bench, "@cai", 2)


async def test_a_break_needs_the_right_and_a_reason_and_tells_the_old_holder(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with bench_in(tmp_path, clock) as bench:
        await bench.say("bo", "lock env:prod for 1h because migration")
        assert (await bench.say("cai", "break L1 because mine")).code == "not_allowed"
        assert (await bench.say("bot", "break L1 because mine")).code == "not_a_person"
        assert not (await bench.say("ana", "break L1")).ok
        assert (await bench.say("ana", "break L1 because production is down")).ok
        assert await told(bench, "@bo") == "L1: Ana Ruiz broke your lease on env:prod: production is down"
        assert chat_of(bench).told("@ana") == []


async def test_a_break_waits_for_others_where_hub_yaml_says_so(tmp_path: Path, clock: ManualClock) -> None:
    actions = """
actions:
  unlock-others:
    title: "Break {lease}"
    params: {lease: {type: string, pattern: "^L[0-9]+$"}}
    apply: {command: ["/bin/true"]}
leases: {break_needs: unlock-others}
"""
    hub = make_hub(tmp_path, people=PEOPLE, channels=CHANNELS, adapters={"chat": Chat}, clock=clock, actions=actions)
    async with running(hub) as bench:
        await bench.say("bo", "lock env:prod for 2h")
        alone = await bench.say("ana", "break L1 because it hangs")
        assert alone.code == "approval_required"
        assert "`unlock-others L1 because …`" in alone.text
        assert (await bench.say("ana", "transfer L1 to @cai")).code == "approval_required"
        assert (await bench.say("ana", "unlock-others L1 because it hangs")).ok
        await bench.until_state("A1", "REVIEWING")
        digest = (await bench.state("A1"))["digest"]
        assert (await bench.ask("cai", "approve", ids=["A1"], digest=digest)).ok
        await bench.until_state("A1", "COMPLETED")
        await bench.say("bo", "lock env:staging for 2h")
        assert (await bench.say("ana", "break L2 because it hangs")).code == "approval_required"
        assert (await bench.say("ana", "break L1 because it hangs")).ok


async def test_who_watches_hears_once_when_it_is_free_and_has_no_place(tmp_path: Path, clock: ManualClock) -> None:
    async with bench_in(tmp_path, clock) as bench:
        await bench.say("bo", "lock env:prod")
        assert "You hear once when env:prod is free" in (await bench.say("cai", "watch env:prod env:staging")).text
        assert (await bench.say("ana", "watch env:prod")).data["watched"] == ["env:prod"]
        assert (await bench.say("ana", "unwatch env:prod")).data["ended"] == 1
        await bench.say("ana", "lock env:prod")
        await bench.say("bo", "unlock L1")
        assert "is yours now" in await told(bench, "@ana")
        assert chat_of(bench).told("@cai") == [], "it went to who stood in the queue"
        await bench.say("ana", "unlock L2")
        assert await told(bench, "@cai") == "env:prod is free now."
        await bench.say("ana", "lock env:prod")
        await bench.say("ana", "unlock L3")
        await told(bench, "@cai", 1)


async def test_readers_share_and_a_writer_waits(tmp_path: Path, clock: ManualClock) -> None:
    async with bench_in(tmp_path, clock) as bench:
        assert "together with others" in (await bench.say("ana", "lock shared db:main for 1h")).text
        assert (await bench.say("bo", "lock shared db:main")).text.startswith("L2: you hold db:main")
        assert "1st in the queue" in (await bench.say("cai", "lock db:main")).text


async def test_a_message_that_fails_is_tried_again_and_arrives_once(tmp_path: Path, clock: ManualClock) -> None:
    async with bench_in(tmp_path, clock) as bench:
        chat_of(bench).failures.append(DeliveryFailed("the channel is away"))
        await bench.say("bo", "lock env:prod")
        await bench.say("ana", "break L1 because it hangs")

        async def failed() -> bool:
            return await bench.events("delivery:") == ["delivery:failed"]

        await until(failed)
        assert await bench.hub.db.read(notices.due) == []
        clock.advance(10)
        bench.hub.messenger._woken.set()
        await told(bench, "@bo")
        await until(_delivered(bench))


def _delivered(bench: Bench) -> Any:
    async def delivered() -> bool:
        return await bench.events("delivery:") == ["delivery:failed", "delivery:sent"]

    return delivered


async def test_what_a_person_was_to_hear_survives_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    async with bench_in(tmp_path, clock) as bench:
        chat_of(bench).failures += [DeliveryFailed("the channel is away")]
        await bench.say("bo", "lock env:prod")
        await bench.say("ana", "break L1 because it hangs")

        async def failed() -> bool:
            return await bench.events("delivery:") == ["delivery:failed"]

        await until(failed)
    clock.advance(60)
    async with bench_in(tmp_path, clock) as bench:
        assert "broke your lease" in await told(bench, "@bo")
