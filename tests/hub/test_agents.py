"""Agents: suspended, paused, told, heard, and held to their budgets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hubs import PEOPLE, Bench, make_hub, running, until
from sqlalchemy import null, update

from core.agents import inbox
from core.audit.state_match import match_state
from core.people import keys
from core.store import schema
from core.store.statement import Statement

pytestmark = pytest.mark.anyio

AGENTS = (
    PEOPLE.replace(
        "{deploy-bot: {owner: ana}}",
        "{deploy-bot: {owner: bo, role: deploys, skills: [helm], labels: [gpu], limits: {open: 2, per_hour: 60}}}",
    )
    + "limits: {commands: 1000/s, burst: 1000}\n"
)
SLEEP = """
actions:
  note:
    title: "Note {text}"
    params: {text: {type: string}}
    apply: {command: ["true", "{text}"]}
  sleep:
    title: "Sleep"
    apply: {command: ["/bin/sleep", "60"]}
"""


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with running(make_hub(tmp_path, people=AGENTS, actions=SLEEP)) as bench:
        yield bench


async def heard(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What principals are told from now on."""
    said: list[tuple[str, str]] = []
    keep = lambda principal, text: said.append((principal.id, text))  # noqa: E731
    monkeypatch.setattr(bench.hub.agents, "_tell", keep)
    monkeypatch.setattr(bench.hub.messenger, "_tell", keep)
    return said


async def ask_for(bench: Bench, action: str = "note", **params: str) -> str:
    reply = await bench.ask("deploy-bot", "request", action=action, params=params)
    assert reply.ok and reply.approval is not None, reply
    name: str = reply.approval["id"]
    await bench.until_state(name, "REVIEWING")
    return name


async def test_a_suspended_agent_has_nothing_left(bench: Bench) -> None:
    agent = bench.hub.world.people.find("deploy-bot")
    assert agent is not None
    key = await bench.hub.db.write(lambda tx: keys.create(tx, by="ana", principal=agent))
    proof = {"authorization": f"Bearer {key}"}
    assert await bench.hub.authenticate(proof) is not None
    waiting = await ask_for(bench, text="one")
    going = await ask_for(bench, "sleep")
    shown = await bench.state(going)
    assert (await bench.ask("cai", "approve", ids=[going], digest=shown["digest"])).ok
    await bench.until_state(going, "APPLYING")

    done = await bench.say("bo", "suspend deploy-bot because it went mad")
    assert done.ok, done
    assert done.data["requests"] == 2
    assert (await bench.state(waiting))["state"] == "REJECTED"
    await bench.until_state(going, "FAILED")
    assert await bench.hub.authenticate(proof) is None
    refused = await bench.ask("deploy-bot", "request", action="note", params={"text": "again"})
    assert (refused.ok, refused.code) == (False, "suspended")
    assert (await bench.say("bo", "suspend deploy-bot because twice")).code == "already_suspended"

    assert (await bench.say("bo", "unsuspend deploy-bot")).ok
    assert await bench.hub.authenticate(proof) is None, "its old keys stay revoked"
    await ask_for(bench, text="two")
    assert await bench.events("agent:") == ["agent:suspended", "agent:resumed"]


@pytest.mark.parametrize(
    ("who", "code"), [("cai", "not_allowed"), ("deploy-bot", "not_a_person"), ("ci", "not_a_person")]
)
async def test_an_agent_is_suspended_by_its_owner_and_by_administrators_alone(
    bench: Bench, who: str, code: str
) -> None:
    refused = await bench.ask(who, "suspend", agent="deploy-bot", reason="no")
    assert (refused.ok, refused.code) == (False, code)
    assert (await bench.ask("ana", "suspend", agent="deploy-bot", reason="yes")).ok
    lifted = await bench.ask("bo", "unsuspend", agent="deploy-bot")
    assert (lifted.ok, lifted.code) == (False, "not_allowed"), (
        "an administrator's suspension is not its owner's to lift"
    )


async def test_a_paused_agent_asks_for_nothing_new_and_acknowledges(bench: Bench) -> None:
    before = await ask_for(bench, text="before")
    assert (await bench.ask("bo", "agent-pause", agent="deploy-bot", reason="maintenance")).ok
    refused = await bench.ask("deploy-bot", "request", action="note", params={"text": "x"})
    assert (refused.code, "maintenance" in refused.text) == ("paused", True)
    assert (await bench.state(before))["state"] == "REVIEWING", "what it asked for goes on"
    [message] = (await bench.say("deploy-bot", "messages")).data["items"]
    assert message["purpose"] == "pause"
    done = await bench.say("deploy-bot", f"ack {message['id']} stopped at once")
    assert done.data["message"]["answer"] == "stopped at once"
    assert (await bench.say("deploy-bot", "messages")).data["items"] == []
    assert (await bench.ask("bo", "agent-unpause", agent="deploy-bot")).ok
    await ask_for(bench, text="after")


async def test_what_goes_unanswered_is_told_three_times_and_then_its_owner(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = await heard(bench, monkeypatch)
    assert (await bench.say("cai", "tell deploy-bot please slow down")).ok
    for _ in range(inbox.TELLINGS):
        await bench.hub.db.write(_due_now)
        await bench.hub.db.write(inbox.tell_again)
    await until(lambda: _is(len(said) == 4))
    assert [who for who, _ in said] == ["deploy-bot"] * 3 + ["bo"]
    assert "M1" in said[-1][1]
    assert "please slow down" in said[-1][1]
    assert await bench.hub.db.read(inbox.next_due) is None
    [left] = (await bench.say("deploy-bot", "heartbeat")).data["messages"]
    assert left["text"] == "please slow down", "it still waits"


async def _is(value: bool) -> bool:
    return value


def _due_now(tx: Any) -> None:
    tx.run(Statement(update(schema.agent_message).values(due_at=1)))


async def test_an_acknowledged_message_is_told_no_more(bench: Bench) -> None:
    await bench.say("cai", "tell deploy-bot one")
    for _ in range(2):
        assert (await bench.say("deploy-bot", "ack M1")).ok
    assert await bench.hub.db.read(inbox.next_due) is None
    assert (await bench.events("agent:")).count("agent:acknowledged") == 1
    assert (await bench.say("deploy-bot", "ack M9")).code == "not_found"


async def test_what_an_agent_says_of_itself_is_kept_apart_as_its_claim(bench: Bench) -> None:
    assert (await bench.say("deploy-bot", "heartbeat degraded version=2.1 because the queue is long")).ok
    assert (await bench.say("deploy-bot", "heartbeat degraded version=2.2")).ok
    [shown] = (await bench.say("ana", "agents")).data["items"]
    assert shown["claim"] == {"health": "degraded", "version": "2.2"}
    assert (shown["state"], shown["role"], shown["labels"], shown["availability"]) == (
        "active",
        "deploys",
        ["gpu"],
        "available",
    )
    seen = datetime.fromisoformat(shown["seen_at"])
    assert datetime.now(UTC) - seen < timedelta(minutes=1)
    assert await bench.events("agent:heard") == ["agent:heard"], "one entry as long as nothing changes"
    assert (await bench.say("bo", "heartbeat")).code == "not_an_agent"
    hidden = await bench.ask("deploy-bot", "heartbeat", claim={"name": "pay‮load"})
    assert hidden.code == "invalid_characters"
    assert (await bench.ask("deploy-bot", "heartbeat", claim={"a": "x" * 501})).code == "usage"


async def test_a_spent_budget_is_told_to_the_owner_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    said = await heard(bench, monkeypatch)
    await ask_for(bench, text="one")
    await ask_for(bench, text="two")
    for text in ("three", "four", "five"):
        refused = await bench.ask("deploy-bot", "request", action="note", params={"text": text})
        assert (refused.ok, refused.code) == (False, "budget")
    await until(lambda: _is(bool(said)))
    assert [who for who, _ in said] == ["bo"]
    assert await bench.events("agent:") == ["agent:budget"]
    assert (await bench.events("command:refused")).count("command:refused") == 3


async def test_an_inbox_has_room_for_so_many_and_no_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MOST_WAITING", 2)
    for _ in range(2):
        assert (await bench.say("cai", "tell deploy-bot hello")).ok
    assert (await bench.say("cai", "tell deploy-bot hello")).code == "inbox_full"
    assert (await bench.ask("bo", "agent-pause", agent="deploy-bot", reason="room for this")).ok


async def test_the_tables_of_agents_are_held_against_the_log(bench: Bench) -> None:
    assert (await bench.ask("bo", "agent-pause", agent="deploy-bot", reason="a while")).ok
    assert (await bench.ask("ana", "suspend", agent="deploy-bot", reason="for good")).ok
    assert await bench.hub.db.read(match_state) == ()
    assert (await bench.ask("ana", "unsuspend", agent="deploy-bot")).ok
    assert await bench.hub.db.read(match_state) == ()
    await bench.hub.db.write(lambda tx: tx.run(Statement(update(schema.agent).values(paused_at=null()))))
    [found] = await bench.hub.db.read(match_state)
    assert "deploy-bot is paused" in found.message


async def test_the_registry_says_who_is_available_and_how_much_of_its_budget_is_spent(bench: Bench) -> None:
    async def now() -> tuple[str, Any]:
        [shown] = (await bench.say("ana", "agents")).data["items"]
        return shown["availability"], shown["budget"]

    assert await now() == ("silent", {"open": 0, "most_open": 2, "asked": 0, "most_per_hour": 60})
    assert (await bench.say("deploy-bot", "heartbeat ok available=no")).ok
    await ask_for(bench, text="one")
    assert await now() == ("busy", {"open": 1, "most_open": 2, "asked": 1, "most_per_hour": 60})
    assert (await bench.say("deploy-bot", "heartbeat ok")).ok
    assert (await now())[0] == "available"
    assert (await bench.ask("bo", "agent-pause", agent="deploy-bot", reason="a while")).ok
    assert (await now())[0] == "paused"
