"""Revisions, the hold window and retries through a whole hub, each with the race that could break it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hubs import Bench, make_hub, running, until

from core.approvals.approval import change, find
from core.approvals.expire import expire
from core.leases.reading import live
from hub import attempts
from hub.contracts import Card

pytestmark = pytest.mark.anyio

ACTIONS = """
actions:
  deploy:
    title: "Deploy {version} to {env}"
    params: {version: {type: string, pattern: "[a-z0-9.]+"}, env: {type: string, enum: [staging, prod], default: staging}}
    resources: ["env:{env}"]
    files: [bound.txt]
    preview: {command: ["./plan", "{version}"]}
    apply: {command: ["./deploy", "{version}"], timeout: 20s}
    rollback: {command: ["./undo"]}
    MORE
  keyed:
    title: "Keyed"
    params: {token: {type: string, secret: true}}
    apply: {command: ["./deploy", "broken"], timeout: 20s}
"""
POLICIES = """
policies:
  - {name: prod, when: 'action == "deploy" && params.env == "prod"', require: [{group: boss, count: 1}]}
  - {name: default, require: [{group: sre, count: 1}], rollback: allow}
"""
PEOPLE = """
people:
  ana: {name: Ana Ruiz, groups: [sre, admins]}
  bo:  {name: Bo Lind, groups: [sre]}
  cai: {name: Cai Wu, groups: [sre]}
  dee: {name: Dee Okoye, groups: [boss]}
"""
SCRIPTS = {
    # `gate` makes the preview wait: at the submission there is none, so it holds only the start between steps 2 and 3.
    "plan": '#!/bin/sh\nif [ -e gate ]; then touch waits; while [ -e gate ]; do sleep 0.02; done; fi\necho "+ $1"\ncat extra\n',
    "deploy": '#!/bin/sh\necho "$1" >> ran.txt\n[ "$1" != broken ] || { echo no disk; exit 3; }\n',
    "undo": "#!/bin/sh\necho undone >> ran.txt\n",
    "bound.txt": "as approved\n",
    "extra": "",
}


@asynccontextmanager
async def bench_in(folder: Path, more: str = "start: auto") -> AsyncIterator[Bench]:
    for name, text in SCRIPTS.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    hub = make_hub(
        folder,
        people=PEOPLE,
        actions=ACTIONS.replace("MORE", more),
        policies=POLICIES,
        more="limits: {commands: 1000/s, burst: 1000}\n",
    )
    async with running(hub) as bench:
        yield bench


async def asked(bench: Bench, version: str = "v2", **params: str) -> str:
    reply = await bench.ask("ana", "request", action="deploy", params={"version": version, **params})
    assert reply.approval is not None, reply
    name = str(reply.approval["id"])
    await bench.until_state(name, "REVIEWING")
    return name


async def approve(bench: Bench, name: str, who: str = "bo", digest: str | None = None) -> Any:
    digest = digest or (await bench.state(name))["digest"]
    return await bench.ask(who, "approve", ids=[name], digest=digest)


async def card_of(bench: Bench, name: str, who: str = "bo") -> Card:
    card = (await bench.ask(who, "show", id=name)).card
    assert card is not None
    return card


def value(card: Card, label: str) -> str:
    return next((field.value for field in card.fields if field.label.startswith(label)), "")


def token(card: Card, choice: str) -> str | None:
    return next((button.token for button in card.buttons if button.choice == choice), None)


async def test_an_edit_drops_the_decisions_and_shows_what_changed(tmp_path: Path) -> None:
    async with bench_in(tmp_path, "start: manual") as bench:
        name = await asked(bench)
        old = await card_of(bench, name)
        assert (await approve(bench, name)).ok
        assert (await bench.say("ana", f"edit {name} version=v3 because v2 was pulled")).ok
        await bench.until_state(name, "REVIEWING")

        seen = await bench.state(name)
        assert (seen["revision"], seen["changed_since"], seen["decisions"]) == (2, 1, [])
        found = {each["field"]: (each["before"], each["after"]) for each in seen["changes"]}
        assert found["params.version"] == ("v2", "v3")
        assert found["commands.apply.command"] == (["./deploy", "v2"], ["./deploy", "v3"])
        assert found["reason"] == (None, "v2 was pulled")
        assert seen["preview_diff"].splitlines()[3:5] == ["-+ v2", "++ v3"]
        card = await card_of(bench, name)
        assert "params.version: v2 → v3" in value(card, "Changed since revision 1 (edited)")
        assert "++ v3" in value(card, "The preview changed")
        assert not (await bench.press("cai", token(old, "approve"))).ok
        assert not (await approve(bench, name, digest=old.digest)).ok
        history = await bench.ask("bo", "history", id=name)
        assert "approval:revised" in history.text


async def test_an_edit_falls_under_the_policy_of_what_it_became(tmp_path: Path) -> None:
    async with bench_in(tmp_path, "start: manual") as bench:
        name = await asked(bench)
        assert (await approve(bench, name)).ok
        assert (await bench.say("ana", f"edit {name} env=prod")).ok
        await bench.until_state(name, "REVIEWING")
        seen = await bench.state(name)
        assert (seen["policy"], seen["resources"]) == ("prod", ["env:prod"])
        assert (await approve(bench, name)).code == "not_eligible"
        assert (await approve(bench, name, "dee")).ok


async def test_the_call_to_start_is_for_the_revision_it_was_given_for(tmp_path: Path) -> None:
    async with bench_in(tmp_path, "start: manual") as bench:
        (tmp_path / "extra").write_text("")
        name = await asked(bench)
        assert (await bench.ask("cai", "lock", resources=["env:staging"])).ok
        assert (await approve(bench, name)).ok
        start = token(await card_of(bench, name, "ana"), "apply")
        assert (await bench.press("ana", start)).ok
        seen = await bench.state(name)
        assert seen["apply_asked_at"] is not None
        assert token(await card_of(bench, name, "ana"), "apply") is None
        assert (await bench.say("ana", f"edit {name} version=v3")).ok
        await bench.until_state(name, "REVIEWING")
        assert (await bench.state(name))["apply_asked_at"] is None
        assert (await approve(bench, name)).ok
        held = await bench.hub.db.read(live)
        assert (await bench.ask("cai", "unlock", lock_id=held[0].lock_id)).ok
        assert token(await card_of(bench, name, "ana"), "apply") is not None
        assert not (tmp_path / "ran.txt").exists()


async def test_what_was_sent_back_says_who_asked_for_what_and_how_to_go_on(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        name = await asked(bench)
        digest = (await bench.state(name))["digest"]
        sent = await bench.ask("bo", "request-changes", ids=[name], digest=digest, comment="use v3")
        assert sent.ok
        card = await card_of(bench, name, "ana")
        assert card.summary == (
            f"Sent back: bo asked for changes (use v3). Change it with `edit {name} key=value`, then `submit {name}`."
        )
        assert (await bench.say("ana", f"edit {name} version=v3")).ok
        assert (await bench.say("ana", f"submit {name}")).ok
        await bench.until_state(name, "REVIEWING")
        seen = await bench.state(name)
        assert (seen["changes"][0]["field"], seen["why"]) == ("commands.apply.command", None)


async def test_a_world_that_moved_sends_it_back_with_the_difference(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        name = await asked(bench)
        digest = (await bench.state(name))["digest"]
        (tmp_path / "extra").write_text("- everything else\n")
        (tmp_path / "bound.txt").write_text("otherwise\n")
        assert (await approve(bench, name, digest=digest)).ok

        async def is_back() -> bool:
            seen = await bench.state(name)
            return bool(seen["revision"] == 2 and seen["state"] == "REVIEWING")

        await until(is_back)
        seen = await bench.state(name)
        assert seen["changed_why"] == "the world moved"
        assert [each["field"] for each in seen["changes"]] == ["files.bound.txt"]
        assert "+- everything else" in seen["preview_diff"]
        assert not (tmp_path / "ran.txt").exists()


async def test_stop_on_any_card_in_the_hold_window_ends_it(tmp_path: Path) -> None:
    async with bench_in(tmp_path, "hold: 30s") as bench:
        name = await asked(bench)
        assert (await approve(bench, name)).ok
        seen = await bench.state(name)
        assert seen["hold_until"] is not None
        card = await card_of(bench, name, "cai")
        assert [button.choice for button in card.buttons] == ["stop"]
        assert (await bench.press("cai", token(card, "stop"), "not today")).ok
        assert (await bench.state(name))["state"] == "REJECTED"
        assert not (tmp_path / "ran.txt").exists()


def _hold_over(name: str) -> Any:
    def over(tx: Any) -> None:
        approval = find(tx, int(name[1:]))
        change(tx, approval, hold_until=tx.now_us)

    return over


@pytest.mark.parametrize("first", ["stop", "start"])
async def test_stop_and_the_end_of_the_hold_window_have_one_winner(tmp_path: Path, first: str) -> None:
    async with bench_in(tmp_path, "hold: 30s") as bench:
        name = await asked(bench)
        assert (await approve(bench, name)).ok
        stop = token(await card_of(bench, name), "stop")
        (tmp_path / "gate").write_text("")
        await bench.hub.db.write(_hold_over(name))
        bench.hub.runner.wake()
        await until((tmp_path / "waits").exists)  # the start has passed the hold window and is between steps 2 and 3
        if first == "stop":
            assert (await bench.press("bo", stop)).ok
            (tmp_path / "gate").unlink()
            await until(lambda: not bench.hub.runner._busy)
            assert (await bench.state(name))["state"] == "REJECTED"
            assert not (tmp_path / "ran.txt").exists()
        else:
            (tmp_path / "gate").unlink()
            await bench.until_state(name, "COMPLETED")
            assert not (await bench.press("bo", stop)).ok
            assert (await bench.state(name))["state"] == "COMPLETED"


async def withdraw(bench: Bench, name: str, folder: Path) -> str:
    assert (await bench.ask("ana", "withdraw", ids=[name])).ok
    return "WITHDRAWN"


async def run_out(bench: Bench, name: str, folder: Path) -> str:
    def over(tx: Any) -> None:
        change(tx, find(tx, int(name[1:])), apply_expires_at=tx.now_us - 1)

    await bench.hub.db.write(over)
    await bench.hub.db.write(expire)
    return "EXPIRED"


async def run_out_unnoticed(bench: Bench, name: str, folder: Path) -> str:
    """The deadline passes and no timer has said so yet: the guard alone refuses the start."""

    def over(tx: Any) -> None:
        change(tx, find(tx, int(name[1:])), apply_expires_at=tx.now_us - 1)

    await bench.hub.db.write(over)
    return "EXPIRED"


async def another_definition(bench: Bench, name: str, folder: Path) -> str:
    text = (folder / "hub.yaml").read_text().replace("timeout: 20s", "timeout: 21s")
    (folder / "hub.yaml").write_text(text)
    assert await bench.hub.reload() == []
    return "REVIEWING"


async def approver_leaves(bench: Bench, name: str, folder: Path) -> str:
    text = (folder / "hub.yaml").read_text().replace("bo:  {name: Bo Lind, groups: [sre]}", "bo:  {name: Bo Lind}")
    (folder / "hub.yaml").write_text(text)
    assert await bench.hub.reload() == []
    return "APPROVED"


async def freeze(bench: Bench, name: str, folder: Path) -> str:
    frozen = (await bench.state(name))["resources"][0]
    assert (await bench.say("ana", f"freeze {frozen} for 1h because of the audit")).ok
    return "APPROVED"


@pytest.mark.parametrize(
    "meanwhile",
    [withdraw, run_out, run_out_unnoticed, another_definition, approver_leaves, freeze],
    ids=lambda f: f.__name__,
)
async def test_what_happens_while_a_start_is_prepared_wins(tmp_path: Path, meanwhile: Any) -> None:
    async with bench_in(tmp_path) as bench:
        name = await asked(bench)
        (tmp_path / "gate").write_text("")
        assert (await approve(bench, name)).ok
        await until((tmp_path / "waits").exists)
        expected = await meanwhile(bench, name, tmp_path)
        (tmp_path / "gate").unlink()
        await until(lambda: not bench.hub.runner._busy or expected == "APPROVED")

        async def is_so() -> bool:
            return bool((await bench.state(name))["state"] == expected)

        await until(is_so)
        assert "apply:started" not in await bench.events("apply:")
        assert not (tmp_path / "ran.txt").exists()
        if expected != "APPROVED":
            assert await bench.hub.db.read(live) == []


async def test_a_retry_is_a_new_attempt_that_says_why_the_last_one_failed(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        name = await asked(bench, "broken")
        assert not (await bench.say("ana", f"retry {name}")).ok
        assert (await approve(bench, name)).ok
        await bench.until_state(name, "FAILED")
        reply = await bench.say("cai", f"retry {name}")
        assert reply.ok and reply.approval is not None
        again = str(reply.approval["id"])
        await bench.until_state(again, "REVIEWING")
        seen = await bench.state(again)
        assert (seen["attempt"], seen["retry_of"], seen["decisions"]) == (2, name, [])
        assert seen["requester"]["id"] == "cai"
        last = seen["last_failure"]
        assert (last["id"], last["state"], last["exit"], last["output_tail"]) == (name, "FAILED", 3, "no disk\n")
        card = await card_of(bench, again)
        assert value(card, "Retry") == f"attempt 2, after {name}, which ended FAILED: exit status 3"
        assert value(card, "The last attempt said") == "no disk\n"
        assert (await approve(bench, again, "cai")).code == "own_request"
        assert (await approve(bench, again, "bo")).ok
        await bench.until_state(again, "FAILED")


async def test_a_secret_is_not_carried_over_to_a_retry(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        reply = await bench.ask("ana", "request", action="keyed", params={"token": "s3cret"})
        assert reply.approval is not None
        name = reply.approval["id"]
        await bench.until_state(name, "REVIEWING")
        assert (await approve(bench, name)).ok
        await bench.until_state(name, "FAILED")
        refused = await bench.say("ana", f"retry {name}")
        assert (refused.ok, refused.code) == (False, "secret_needed")
        assert "run keyed" in refused.text


async def test_what_is_being_taken_back_is_not_retried(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        name = await asked(bench, "broken")
        assert (await approve(bench, name)).ok
        await bench.until_state(name, "FAILED")
        assert (await bench.ask("cai", "lock", resources=["env:staging"])).ok  # so that the rollback waits
        assert (await bench.ask("bo", "rollback", ids=[name])).ok
        refused = await bench.say("ana", f"retry {name}")
        assert (refused.ok, refused.code) == (False, "rolling_back")
        held = [each for each in await bench.hub.db.read(live) if each.principal == "cai"]
        assert (await bench.ask("cai", "unlock", lock_id=held[0].lock_id)).ok
        await bench.until_state(name, "ROLLED_BACK")
        assert (await bench.say("ana", f"retry {name}")).code == "wrong_state"


async def test_a_rollback_and_a_retry_at_once_leave_one_of_them(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        name = await asked(bench, "broken")
        assert (await approve(bench, name)).ok
        await bench.until_state(name, "FAILED")
        retried, taken_back = await asyncio.gather(
            bench.say("ana", f"retry {name}"), bench.ask("bo", "rollback", ids=[name], channel="http")
        )
        assert taken_back.ok
        assert retried.ok or retried.code in ("rolling_back", "wrong_state")
        await bench.until_state(name, "ROLLED_BACK")
        assert (tmp_path / "ran.txt").read_text().splitlines() == ["broken", "undone"]


async def test_what_is_safe_to_retry_is_tried_again_inside_its_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "FIRST_WAIT_SECONDS", 0.02)
    async with bench_in(tmp_path, "retry_safe: true") as bench:
        (tmp_path / "deploy").write_text(
            '#!/bin/sh\necho "$INTERLOCK_FENCE" >> ran.txt\n[ "$(wc -l < ran.txt)" = 3 ] || { echo busy; exit 75; }\necho fine\n'
        )
        name = await asked(bench)
        assert (await approve(bench, name)).ok
        await bench.until_state(name, "COMPLETED")
        run = (await bench.state(name))["run"]
        assert run["output_tail"].count("busy") == 2
        assert "⟨attempt 2 of 4 failed: exit status 75; it is tried again after" in run["output_tail"]
        assert (tmp_path / "ran.txt").read_text().split() == [str(run["token"])] * 3
        assert (await bench.events("apply:")).count("apply:started") == 1


async def test_a_stop_ends_what_would_be_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_WAIT_SECONDS", 3600.0)
    async with bench_in(tmp_path, "retry_safe: true") as bench:
        name = await asked(bench, "broken")
        assert (await approve(bench, name)).ok
        await until(lambda: any("tried again" in each.printed.text() for each in bench.hub.runner.live.values()))
        assert (await bench.ask("bo", "stop", target=name, reason="no more")).ok
        await bench.until_state(name, "FAILED")
        assert (tmp_path / "ran.txt").read_text() == "broken\n"
