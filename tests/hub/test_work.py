"""Runs that agents carry out: offered, claimed once, reported on, concluded, lost, stopped, taken up again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hubs import PEOPLE, Bench, make_hub, running, until
from sqlalchemy import update

from core.store import schema
from core.store.statement import Statement
from core.store.tx import Tx
from core.work import claiming
from core.work.work import find_work
from hub.contracts import Reply

pytestmark = pytest.mark.anyio

AGENTS = (
    PEOPLE.replace(
        "{deploy-bot: {owner: ana}}",
        "{deploy-bot: {owner: ana}, trainer: {owner: ana, labels: [gpu]}, other: {owner: bo, labels: [gpu, big]}}",
    )
    + "limits: {commands: 1000/s, burst: 1000}\n"
)
ACTIONS = """
actions:
  train:
    title: "Train {model}"
    params: {model: {type: string}}
    resources: ["gpu:{model}"]
    apply: {agent: {labels: [gpu], heartbeat: 30s}, timeout: 2h}
  again:
    title: "Again {model}"
    params: {model: {type: string}}
    retry_safe: true
    apply: {agent: {labels: [gpu], priority: 5, tries: 2}, timeout: 2h}
"""


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with running(make_hub(tmp_path, people=AGENTS, actions=ACTIONS)) as bench:
        yield bench


async def offered(bench: Bench, model: str = "m1", action: str = "train") -> str:
    """The id of an approved request whose run waits for an agent."""
    reply = await bench.ask("bo", "request", action=action, params={"model": model})
    assert reply.ok and reply.approval is not None, reply
    name: str = reply.approval["id"]
    await bench.until_state(name, "REVIEWING")
    shown = await bench.state(name)
    assert (await bench.ask("cai", "approve", ids=[name], digest=shown["digest"])).ok

    async def waits() -> bool:
        return bool(((await bench.state(name))["run"] or {}).get("work"))

    await until(waits)
    return name


async def claimed(bench: Bench, agent: str = "trainer") -> Any:
    reply = await bench.ask(agent, "work-claim")
    assert reply.ok, reply
    return reply.data["work"]


async def say(bench: Bench, agent: str, work: Any, verb: str = "work-report", **said: Any) -> Reply:
    return await bench.ask(agent, verb, run=work["run"], claim=work["claim"], **said)


async def lapse(bench: Bench, **columns: int) -> None:
    """As if that time had passed."""
    await bench.hub.db.write(lambda tx: tx.run(Statement(update(schema.work).values(**columns or {"expires_at": 1}))))


async def test_an_agent_carries_an_approved_run_out(bench: Bench) -> None:
    name = await offered(bench)
    work = await claimed(bench)
    shown = await bench.state(name)
    assert (work["params"], work["approval"], work["token"]) == ({"model": "m1"}, name, shown["run"]["token"])
    made = [{"name": "weights", "url": "https://store.example/w", "sha256": "a" * 64}]
    told = await say(bench, "trainer", work, progress="epoch 1 of 2", output="loss 0.5\n", artifacts=made)
    assert told.data["stop"] is False
    going = await bench.state(name)
    assert (going["state"], going["run"]["output_tail"]) == ("APPLYING", "loss 0.5\n")
    assert going["run"]["work"]["claims"] == {"progress": "epoch 1 of 2", "artifacts": made}

    ended = await say(bench, "trainer", work, "work-conclude", outcome="completed", output="loss 0.1\n")
    assert ended.ok, ended
    done = await bench.state(name)
    assert (done["state"], done["run"]["output_tail"]) == ("COMPLETED", "loss 0.5\nloss 0.1\n")
    assert await bench.events("apply:") == [
        *("apply:started", "apply:offered", "apply:claimed", "apply:progress", "apply:finished")
    ]
    assert (await bench.say("bo", "locks")).text == "Nothing is leased."


async def test_work_is_claimed_once_and_only_by_who_has_its_labels(bench: Bench) -> None:
    await offered(bench)
    assert await claimed(bench, "deploy-bot") is None
    both = await asyncio.gather(claimed(bench, "trainer"), claimed(bench, "other"))
    assert [work is None for work in both].count(False) == 1
    refused = await bench.ask("bo", "work-claim")
    assert (refused.ok, refused.code) == (False, "not_an_agent")


async def test_the_highest_priority_is_given_out_first(bench: Bench) -> None:
    await offered(bench, "low")
    urgent = await offered(bench, "high", "again")
    assert (await claimed(bench))["approval"] == urgent


async def test_nobody_else_can_report_and_a_claim_that_was_lost_proves_nothing(bench: Bench) -> None:
    name = await offered(bench)
    work = await claimed(bench)
    for agent, claim in (("other", work["claim"]), ("trainer", "guessed")):
        refused = await say(bench, agent, {**work, "claim": claim})
        assert (refused.ok, refused.code) == (False, "work_lost")
    await lapse(bench)
    late = await say(bench, "trainer", work, "work-conclude", outcome="completed")
    assert (late.ok, late.code) == (False, "work_lost")
    await bench.until_state(name, "UNKNOWN")
    shown = await bench.state(name)
    assert "trainer was lost" in shown["run"]["why"]
    assert "closed: its run's end is unknown" in (await bench.say("bo", "locks")).text


async def test_what_may_be_tried_again_waits_for_another_agent_after_a_pause(bench: Bench) -> None:
    name = await offered(bench, action="again")
    first = await claimed(bench)
    await lapse(bench)

    async def queued_again() -> bool:
        return "apply:requeued" in await bench.events("apply:")

    await until(queued_again)
    assert await claimed(bench, "other") is None, "not before the pause is over"
    await lapse(bench, due_at=1)
    second = await claimed(bench, "other")
    assert second["tries"] == 2
    refused = await say(bench, "trainer", first, "work-conclude", outcome="completed")
    assert (refused.ok, refused.code) == (False, "work_lost")
    assert (await say(bench, "other", second, "work-conclude", outcome="completed")).ok
    assert (await bench.state(name))["state"] == "COMPLETED"


async def test_the_last_try_that_is_lost_ends_unknown(bench: Bench) -> None:
    name = await offered(bench, action="again")
    for _ in range(2):
        await lapse(bench, due_at=1)
        assert await claimed(bench) is not None
        await lapse(bench)
        await until(lambda: _unclaimed(bench))
    await bench.until_state(name, "UNKNOWN")


async def _unclaimed(bench: Bench) -> bool:
    work = await bench.hub.db.read(find_work, 1)
    return work is not None and work.state != "claimed"


async def test_what_nobody_takes_in_time_has_failed(bench: Bench) -> None:
    name = await offered(bench)
    await lapse(bench, until=1)
    await bench.until_state(name, "FAILED")
    assert (await bench.state(name))["run"]["why"] == "no agent took it in time"


async def test_a_stop_ends_what_nobody_has_and_is_told_to_who_has_it(bench: Bench) -> None:
    waiting = await offered(bench, "one")
    assert (await bench.say("bo", f"stop {waiting} because no")).ok
    await bench.until_state(waiting, "FAILED")

    going = await offered(bench, "two")
    work = await claimed(bench)
    assert (await bench.say("bo", f"stop {going} because enough")).ok
    told = await say(bench, "trainer", work)
    assert told.data["stop"] is True
    assert (await say(bench, "trainer", work, "work-conclude", outcome="failed", progress="stopped")).ok
    shown = await bench.state(going)
    assert (shown["state"], shown["run"]["why"]) == ("FAILED", "stopped by bo")


async def test_who_does_not_confirm_a_stop_leaves_an_unknown_end(bench: Bench) -> None:
    name = await offered(bench)
    await claimed(bench)
    assert (await bench.say("bo", f"stop {name} because enough")).ok
    await bench.hub.db.write(lambda tx: tx.run(Statement(update(schema.run).values(stop_asked_at=1))))
    await bench.until_state(name, "UNKNOWN")


async def test_too_much_is_refused_and_the_rest_is_counted(bench: Bench) -> None:
    name = await offered(bench)
    work = await claimed(bench)
    assert (await say(bench, "trainer", work, output="x" * 65_537)).code == "report_too_large"
    for _ in range(5):
        assert (await say(bench, "trainer", work, output="y" * 65_536)).ok
    shown = await bench.state(name)
    assert await bench.hub.db.read(_kept) == (262_144, 65_536)
    assert shown["run"]["work"]["state"] == "claimed"
    many = [{"name": f"a{at}"} for at in range(15)]
    assert (await say(bench, "trainer", work, artifacts=many)).ok
    assert (await say(bench, "trainer", work, artifacts=many)).code == "too_many_artifacts"
    assert (await say(bench, "trainer", work, artifacts=[{"name": "x", "url": "javascript:alert(1)"}])).code == "usage"
    assert (await say(bench, "trainer", work, progress="ok‮ko")).code == "invalid_characters"


def _kept(reader: Any) -> tuple[int, int]:
    work = find_work(reader, 1)
    assert work is not None
    return len(work.output), work.dropped


async def test_one_agent_has_so_much_at_once_and_no_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "MOST_AT_ONCE", 1)
    await offered(bench, "one")
    await offered(bench, "two")
    assert await claimed(bench) is not None
    refused = await bench.ask("trainer", "work-claim")
    assert (refused.ok, refused.code) == (False, "too_many_claims")


async def test_a_paused_agent_gets_no_work(bench: Bench) -> None:
    await offered(bench)
    assert (await bench.ask("ana", "agent-pause", agent="trainer", reason="a while")).ok
    refused = await bench.ask("trainer", "work-claim")
    assert (refused.ok, refused.code) == (False, "paused")


async def test_a_hub_that_starts_again_stays_with_what_an_agent_carries_out(tmp_path: Path) -> None:
    async with running(make_hub(tmp_path, people=AGENTS, actions=ACTIONS)) as bench:
        name = await offered(bench)
        work = await claimed(bench)
    async with running(make_hub(tmp_path, people=AGENTS, actions=ACTIONS)) as bench:
        assert (await bench.state(name))["state"] == "APPLYING"
        assert (await say(bench, "trainer", work, progress="still here")).ok
        assert (await say(bench, "trainer", work, "work-conclude", outcome="completed")).ok
        assert (await bench.state(name))["state"] == "COMPLETED"


async def test_a_lease_that_ran_out_without_a_hub_leaves_an_unknown_end(tmp_path: Path) -> None:
    async with running(make_hub(tmp_path, people=AGENTS, actions=ACTIONS)) as bench:
        name = await offered(bench)
        await claimed(bench)
        await bench.hub.db.write(_expire_leases)
    async with running(make_hub(tmp_path, people=AGENTS, actions=ACTIONS)) as bench:
        await bench.until_state(name, "UNKNOWN")


def _expire_leases(tx: Tx) -> None:
    tx.run(Statement(update(schema.lease).values(expires_at=1)))
