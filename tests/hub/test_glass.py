"""Break-glass through a whole hub with two channels: everybody is told at once, it is marked, and nags until reviewed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hubs import Bench, Chat, make_hub, running, until

from core.audit.state_match import match_state
from core.clock import ManualClock
from core.people.assurance import Assurance

pytestmark = pytest.mark.anyio

PEOPLE = """
people:
  ana: {name: Ana Ruiz, email: ana@example.com, groups: [sre, admins], prefer: [chat]}
  bo:  {name: Bo Lind, email: bo@example.com, groups: [sre], prefer: [chat]}
  cai: {name: Cai Wu, email: cai@example.com, groups: [sre], prefer: [letters]}
  eve: {name: Eve Falk, email: eve@example.com, groups: [security], prefer: [letters]}
  fay: {name: Fay Moss, email: fay@example.com, prefer: [chat]}
agents: {bot: {owner: ana}}
"""
ACTIONS = """
actions:
  deploy:
    title: "Deploy {version}"
    params: {version: {type: string, pattern: "[0-9.]+"}}
    resources: ["env:prod"]
    hold: 10m
    start: manual
    preview: {command: ["/bin/echo", "would deploy {version}"]}
    apply: {command: ["/bin/echo", "deployed {version}"]}
    rollback: {command: ["/bin/echo", "undone"]}
"""
POLICY = """
policies:
  - name: prod
    require: [{group: sre, count: 2}]
    veto: [security]
    ask: ["chat:#prod"]
    break_glass: {groups: [sre], review_within: 2hMORE}
"""
CHANNELS = "channels: {chat: {adapter: chat}, letters: {adapter: letters}}\nlimits: {commands: 1000/s, burst: 1000}\n"


@asynccontextmanager
async def bench_in(folder: Path, clock: ManualClock | None = None, more: str = "") -> AsyncIterator[Bench]:
    hub = make_hub(
        folder,
        people=PEOPLE,
        actions=ACTIONS,
        policies=POLICY.replace("MORE", more),
        channels=CHANNELS,
        adapters={"chat": Chat, "letters": partial(Chat, edit=False)},
        clock=clock,
    )
    async with running(hub) as bench:
        yield bench
        assert await hub.db.read(match_state) == ()


async def broken(bench: Bench, version: str = "1.2", who: str = "ana") -> str:
    reply = await bench.say(who, f"break-glass deploy {version} because customers cannot pay")
    assert reply.approval is not None, reply
    return str(reply.approval["id"])


def labels(card: Any) -> dict[str, str]:
    return {field.label: field.value for field in card.fields}


async def test_everybody_concerned_is_told_in_two_channels_and_it_runs_at_once(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        chat, letters = bench.channels["chat"], bench.channels["letters"]
        name = await broken(bench)
        await bench.until_state(name, "COMPLETED")
        for channel, address in ((chat, "#prod"), (chat, "@bo"), (letters, "@cai"), (letters, "@eve")):
            await until(lambda channel=channel, address=address: len(channel.at(address)) >= 1)
            first = channel.at(address)[0].card
            assert first.title == "BREAK-GLASS: Deploy 1.2"
            assert first.summary.startswith("BREAK-GLASS by Ana Ruiz, with nobody asked.")
            assert (first.claim, first.risk) == ("customers cannot pay", "high")
        assert chat.at("@fay") == []
        await until(lambda: chat.at("#prod")[-1].card.state == "COMPLETED")
        shown = labels(chat.at("#prod")[-1].card)
        assert shown["BREAK-GLASS"] == "Ana Ruiz runs it with nobody asked"
        assert shown["REVIEW"].startswith("owed until")
        assert shown["Needs"] == "nobody now, by break-glass; policy prod asks for 0 of 2 of sre"
        assert (await bench.events("approval:"))[:3] == [
            "approval:requested",
            "approval:submitted",
            "approval:approved",
        ]


async def test_it_is_in_queue_and_status_until_somebody_reviews_it_in_another_channel(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        name = await broken(bench)
        await bench.until_state(name, "COMPLETED")
        for who in ("ana", "bo", "eve"):
            assert f"{name}  BREAK-GLASS by ana: its review is due" in (await bench.say(who, "queue")).text
        assert "BREAK-GLASS" not in (await bench.say("fay", "queue")).text
        assert "BREAK-GLASS" in (await bench.say("fay", "queue all")).text
        assert "Reviews owed after break-glass: 1, 0 of them overdue" in (await bench.say("fay", "status")).text
        assert (await bench.say("ana", f"review {name} ok because it worked")).code == "own_request"
        assert (await bench.say("bot", f"review {name} ok")).code == "not_a_person"
        done = await bench.say("eve", f"review {name} objected because it could wait", channel="letters")
        assert done.ok, done
        seen = await bench.state(name)
        assert seen["glass"]["review"]["verdict"] == "objected"
        card = (await bench.ask("bo", "show", id=name)).card
        assert "OBJECTED, says Eve Falk" in labels(card)["REVIEW"]
        assert labels(card)["REVIEW"].endswith("it could wait")
        chat = bench.channels["chat"]
        await until(lambda: "OBJECTED" in labels(chat.at("#prod")[-1].card).get("REVIEW", ""))
        assert "BREAK-GLASS" not in (await bench.say("bo", "queue")).text
        assert "Reviews owed" not in (await bench.say("bo", "status")).text


async def test_it_nags_everybody_until_it_is_reviewed(tmp_path: Path, clock: ManualClock) -> None:
    async with bench_in(tmp_path, clock) as bench:
        letters: Any = bench.channels["letters"]
        name = await broken(bench)
        await bench.until_state(name, "COMPLETED")
        for count in range(1, 5):
            clock.advance(3600)
            bench.hub.timers.wake()
            await until(lambda count=count: _nagged(bench, count))
            told = partial(_told, letters, count)
            await until(told)
        assert "overdue since" in labels(letters.at("@cai")[-1].card)["REVIEW"]
        assert "OVERDUE" in (await bench.say("bo", "queue")).text
        assert (await bench.say("bo", f"review {name} ok because it was right")).ok
        clock.advance(7 * 3600)
        bench.hub.timers.wake()
        assert (await bench.say("bo", "status")).ok
        assert await _nagged(bench, 4)


def _told(letters: Chat, count: int) -> bool:
    return [post.event for post in letters.at("@cai")].count("approval:reminded") == count


async def _nagged(bench: Bench, count: int) -> bool:
    return (await bench.events("approval:reminded")).count("approval:reminded") == count


async def test_agents_services_strangers_weak_proofs_and_silence_break_nothing(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        text = "break-glass deploy 1.2 because I must"
        assert (await bench.say("bot", text)).code == "not_a_person"
        assert (await bench.say("eve", text)).code == "not_eligible"
        assert (await bench.say("fay", text)).code == "not_eligible"
        assert (await bench.say("ana", text, assurance=Assurance.EMAIL)).code == "assurance_too_low"
        assert (await bench.say("ana", text, may_decide=False)).code == "key_may_not_decide"
        assert (await bench.say("ana", "break-glass deploy 1.2")).code == "reason_required"
        assert (await bench.say("ana", "break-glass")).code == "usage"
        assert (await bench.say("ana", "break-glass nothing because x")).code == "unknown_command"
        assert await bench.events("approval:") == []
        assert (await bench.events("command:refused")).count("command:refused") == 8


@pytest.mark.parametrize(("more", "code"), [("", "frozen"), (", through_freeze: true", None)])
async def test_a_freeze_holds_unless_the_policy_lets_it_through(tmp_path: Path, more: str, code: str | None) -> None:
    async with bench_in(tmp_path, more=more) as bench:
        assert (await bench.say("ana", "freeze env:prod for 2h because of the audit")).ok
        reply = await bench.say("bo", "break-glass deploy 1.2 because customers cannot pay")
        assert reply.code == code
        if code is not None:
            assert "policy prod lets break-glass through no freeze, and env:prod is frozen by F1" in reply.text
            assert await bench.events("approval:requested") == []
            return
        assert reply.approval is not None
        name = str(reply.approval["id"])
        await bench.until_state(name, "COMPLETED")
        seen = await bench.state(name)
        assert (seen["override"]["by"]["id"], seen["override"]["reason"]) == ("bo", "customers cannot pay")


async def test_an_edit_before_it_starts_makes_it_an_ordinary_request(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        assert (await bench.say("ana", "stop all because of the drill")).ok
        name = await broken(bench)
        await bench.until_state(name, "APPROVED")
        assert (await bench.say("ana", f"edit {name} version=1.3")).ok
        await bench.until_state(name, "REVIEWING")
        seen = await bench.state(name)
        assert (seen["glass"], seen["hold_until"]) == (None, None)
        assert (await bench.say("ana", "resume")).ok
        assert "Reviews owed" not in (await bench.say("bo", "status")).text


async def test_rolling_it_back_takes_the_quorum(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        name = await broken(bench)
        await bench.until_state(name, "COMPLETED")
        assert (await bench.say("ana", f"rollback {name} because it broke")).code == "not_eligible"
        first = await bench.say("bo", f"rollback {name} because it broke")
        assert "still needed: 1 of sre" in first.text
        assert (await bench.say("cai", f"rollback {name} because it broke")).ok
        await bench.until_state(name, "ROLLED_BACK")
