"""Taking back what ran, through a whole hub: who may, what it gets, and what stops it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hubs import Bench, make_hub, running, until

from core.leases.reading import live
from core.people.assurance import Assurance
from hub.contracts import Inbound, Sender

pytestmark = pytest.mark.anyio

ACTIONS = """
actions:
  deploy:
    title: "Deploy {version}"
    params: {version: {type: string, pattern: "[a-z0-9.]+"}}
    resources: ["env:prod"]
    files: [bound.txt]
    stash: {command: ["./state"]}
    apply: {command: ["./deploy", "{version}"], timeout: 20s}
    rollback: {command: ["./undo"], timeout: 20s, preview: {command: ["./would-undo"]}}
"""
POLICY = """
policies:
  - {name: default, require: [{group: sre, count: 2}], distinct_people: 2, RULE}
"""
SCRIPTS = {
    "state": "#!/bin/sh\ncat now.txt\n",
    "deploy": '#!/bin/sh\necho "$1" > now.txt\n[ "$1" != broken ]\n',
    "undo": (
        '#!/bin/sh\n[ -e hang ] && sleep 30\necho "$INTERLOCK_STASH" > now.txt\n'
        "echo back to $INTERLOCK_STASH, fence $INTERLOCK_FENCE\n"
    ),
    "would-undo": "#!/bin/sh\necho would go back\n",
    "bound.txt": "as approved\n",
}


@asynccontextmanager
async def bench_in(folder: Path, *, rule: str = "rollback: policy", actions: str = ACTIONS) -> AsyncIterator[Bench]:
    for name, text in SCRIPTS.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "now.txt").write_text("v1\n")
    people = """
people:
  ana: {name: Ana Ruiz, groups: [sre, admins]}
  bo:  {name: Bo Lind, groups: [sre]}
  cai: {name: Cai Wu, groups: [sre]}
  eve: {name: Eve, groups: [other]}
agents: {deploy-bot: {owner: ana}}
"""
    more = "limits: {commands: 1000/s, burst: 1000}\n"
    hub = make_hub(folder, people=people, actions=actions, policies=POLICY.replace("RULE", rule), more=more)
    async with running(hub) as bench:
        yield bench


async def ran(bench: Bench, version: str = "v2", state: str = "COMPLETED", who: str = "ana") -> str:
    """The id of a request of `who` that was approved by two and ran."""
    reply = await bench.ask(who, "request", action="deploy", params={"version": version})
    assert reply.approval is not None, reply
    name = str(reply.approval["id"])
    await bench.until_state(name, "REVIEWING")
    digest = (await bench.state(name))["digest"]
    for person in ("bo", "cai"):
        assert (await bench.ask(person, "approve", ids=[name], digest=digest)).ok
    await bench.until_state(name, state)
    return name


async def back(bench: Bench, who: str, name: str, **more: Any) -> Any:
    return await bench.ask(who, "rollback", ids=[name], **more)


async def test_a_rollback_takes_the_policys_seats_again_and_gets_what_was_stashed(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        name = await ran(bench)
        seen = await bench.state(name)
        assert seen["rollback"]["offered"]
        assert seen["rollback"]["preview"]["output"] == "would go back\n"
        assert "rollback" in [
            button["choice"] for button in (await bench.ask("bo", "show", id=name)).card.as_json()["buttons"]
        ]

        first = await back(bench, "bo", name, reason="it is slow")
        assert first.ok
        assert "1 of sre" in first.text
        assert (await back(bench, "bo", name)).text.count("already") == 1
        assert (await bench.state(name))["state"] == "COMPLETED"
        assert (await back(bench, "cai", name)).ok
        await bench.until_state(name, "ROLLED_BACK")

        assert (tmp_path / "now.txt").read_text().strip() == "v1"
        seen = await bench.state(name)
        assert seen["rollback_run"]["token"] > seen["run"]["token"]
        assert f"back to v1 , fence {seen['rollback_run']['token']}" in seen["rollback_run"]["output_tail"]
        assert await bench.hub.db.read(live) == []
        names = await bench.events("rollback:")
        assert names == ["rollback:requested", "rollback:requested", "rollback:started", "rollback:finished"]
        assert not (await back(bench, "bo", name)).ok


@pytest.mark.parametrize(
    ("who", "code"), [("ana", "not_eligible"), ("eve", "not_eligible"), ("deploy-bot", "not_eligible")]
)
async def test_nobody_else_takes_it_back(tmp_path: Path, who: str, code: str) -> None:
    async with bench_in(tmp_path) as bench:
        name = await ran(bench)
        refused = await back(bench, who, name)
        assert (refused.ok, refused.code) == (False, code)
        assert await bench.events("rollback:") == []


async def test_where_the_policy_allows_it_the_requester_takes_it_back_alone(tmp_path: Path) -> None:
    async with bench_in(tmp_path, rule="rollback: allow") as bench:
        name = await ran(bench, "broken", "FAILED")
        assert not (await back(bench, "eve", name)).ok
        assert (await back(bench, "ana", name)).ok
        await bench.until_state(name, "ROLLED_BACK")


async def test_too_weak_a_proof_takes_nothing_back(tmp_path: Path) -> None:
    async with bench_in(tmp_path, rule="min_assurance: signed_in, rollback: allow") as bench:
        name = await ran(bench)
        inbound = Inbound(
            channel="chat",
            sender=Sender(principal="bo"),
            assurance=Assurance.CHAT,
            text=f"rollback {name} because slow",
        )
        refused = await bench.hub.handle(inbound)
        assert (refused.ok, refused.code) == (False, "assurance_too_low")
        assert await bench.events("rollback:") == []


async def test_two_presses_at_once_in_two_channels_make_one_rollback(tmp_path: Path) -> None:
    async with bench_in(tmp_path, rule="rollback: allow") as bench:
        name = await ran(bench)
        card = (await bench.ask("bo", "show", id=name)).card
        assert card is not None
        token = next(button.token for button in card.buttons if button.choice == "rollback")
        answers = await asyncio.gather(bench.press("bo", token), back(bench, "cai", name, channel="http"))
        assert sorted(answer.ok for answer in answers) == [False, True]
        await bench.until_state(name, "ROLLED_BACK")
        assert (await bench.events("rollback:")).count("rollback:started") == 1


async def test_what_changed_since_it_was_approved_is_not_run(tmp_path: Path) -> None:
    async with bench_in(tmp_path, rule="rollback: allow") as bench:
        name = await ran(bench)
        (tmp_path / "undo").write_text("#!/bin/sh\necho evil > now.txt\n")
        assert (await back(bench, "bo", name)).ok

        async def is_called_off() -> bool:
            return "rollback:failed" in await bench.events("rollback:")

        await until(is_called_off)
        seen = await bench.state(name)
        assert (seen["state"], seen["rollback"]["offered"], seen["rollback_run"]) == ("COMPLETED", True, None)
        assert (tmp_path / "now.txt").read_text() == "v2\n"


async def test_somebody_who_left_before_the_start_does_not_count(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        name = await ran(bench)
        assert (await bench.ask("eve", "lock", resources=["env:prod"])).ok
        assert (await back(bench, "bo", name)).ok
        assert (await back(bench, "cai", name)).ok
        text = (
            (tmp_path / "hub.yaml").read_text().replace("  cai: {name: Cai Wu, groups: [sre]}", "  cai: {name: Cai Wu}")
        )
        (tmp_path / "hub.yaml").write_text(text)
        assert await bench.hub.reload() == []
        held = await bench.hub.db.read(live)
        assert (await bench.ask("eve", "unlock", lock_id=held[0].lock_id)).ok

        async def is_called_off() -> bool:
            return (await bench.events("rollback:"))[-1] == "rollback:failed"

        await until(is_called_off)
        assert "rollback:started" not in await bench.events("rollback:")
        seen = await bench.state(name)
        assert (seen["state"], seen["rollback"]["offered"], seen["rollback"]["by"]) == ("COMPLETED", True, [])


async def test_stop_ends_a_rollback_and_its_end_is_on_the_card(tmp_path: Path) -> None:
    async with bench_in(tmp_path, rule="rollback: allow") as bench:
        name = await ran(bench)
        (tmp_path / "hang").write_text("")
        assert (await back(bench, "bo", name)).ok
        await bench.until_state(name, "ROLLING_BACK")
        await until(lambda: bool(bench.hub.runner.live))
        assert (await bench.ask("bo", "stop", target=name, reason="wrong one")).ok
        await bench.until_state(name, "ROLLBACK_FAILED")
        card = (await bench.ask("bo", "show", id=name)).card
        assert card is not None
        assert card.buttons == ()
        assert any(field.label == "Rollback" and "stopped by bo" in field.value for field in card.fields)


async def test_an_unknown_run_is_taken_back_before_anybody_else_touches_its_resources(tmp_path: Path) -> None:
    slow = ACTIONS.replace('["./deploy", "{version}"], timeout: 20s', '["./slow", "{version}"], timeout: 1s')
    (tmp_path / "slow").write_text("#!/bin/sh\necho half > now.txt\nsleep 30\n")
    (tmp_path / "slow").chmod(0o755)
    async with bench_in(tmp_path, rule="rollback: allow", actions=slow) as bench:
        name = await ran(bench, state="UNKNOWN")
        waiting = asyncio.create_task(
            bench.ask("eve", "lease-acquire", resources=["env:prod"], wait_seconds=30.0, ttl_seconds=10.0)
        )
        assert "ticket" in (await waiting).data
        assert (await back(bench, "bo", name)).ok
        await bench.until_state(name, "ROLLED_BACK")
        assert (tmp_path / "now.txt").read_text().strip() == "v1"

        async def is_handed_on() -> bool:
            return [lease.principal for lease in await bench.hub.db.read(live)] == ["eve"]

        await until(is_handed_on)


async def test_a_stash_that_fails_starts_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "interlock.runner")
    async with bench_in(tmp_path) as bench:
        (tmp_path / "now.txt").unlink()
        reply = await bench.ask("ana", "request", action="deploy", params={"version": "v2"})
        assert reply.approval is not None
        name = reply.approval["id"]
        await bench.until_state(name, "REVIEWING")
        digest = (await bench.state(name))["digest"]
        for person in ("bo", "cai"):
            await bench.ask(person, "approve", ids=[name], digest=digest)
        await bench.until_state(name, "APPROVED")
        await until(lambda: "the stash of" in caplog.text)
        assert (await bench.state(name))["state"] == "APPROVED"
        assert not (tmp_path / "now.txt").exists()
        (tmp_path / "now.txt").write_text("v1\n")
        await bench.until_state(name, "COMPLETED")


async def test_an_edit_to_the_rollback_is_another_revision(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        reply = await bench.ask("ana", "request", action="deploy", params={"version": "v2"})
        assert reply.approval is not None
        name = reply.approval["id"]
        await bench.until_state(name, "REVIEWING")
        before = (await bench.state(name))["digest"]
        text = (tmp_path / "hub.yaml").read_text().replace('["./undo"]', '["./undo", "--force"]')
        (tmp_path / "hub.yaml").write_text(text)
        assert await bench.hub.reload() == []
        await bench.until_state(name, "REVIEWING")

        async def is_new() -> bool:
            return bool((await bench.state(name))["digest"] not in (None, before))

        await until(is_new)
