"""What a run prints is followed while it goes on: from any place, without secrets, by those who may see it, past a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from hubs import PEOPLE, Bench, make_hub, running, until

from core.approvals.approval import change, find
from core.approvals.run import find_run, identify, insert_run, keep_output
from core.approvals.states import State
from core.errors import NotFound
from core.people.assurance import Assurance
from core.store.tx import Tx
from hub import live, outputs
from hub.contracts import Caller, Output
from hub.recovery import recover

pytestmark = pytest.mark.anyio

ACTIONS = """
actions:
  slow:
    title: "Slow"
    params: {password: {type: string, secret: true}}
    apply: {command: ["./slow"], timeout: 60s}
  flood:
    title: "Flood"
    apply: {command: ["./flood"], timeout: 60s}
  later:
    title: "Later"
    start: manual
    apply: {command: ["./slow"], timeout: 60s}
  hidden:
    title: "Hidden"
    visible_to: [sre]
    apply: {command: ["./slow"], timeout: 60s}
  train:
    title: "Train"
    apply: {agent: {heartbeat: 30s}, timeout: 2h}
"""
SLOW = """\
#!/bin/sh
printf 'begun\\nhunt'; until [ -e half ]; do sleep 0.02; done
printf 'er22 and \\377 \\303'; until [ -e more ]; do sleep 0.02; done
printf '\\251\\n'; until [ -e go ]; do sleep 0.02; done
echo ended
"""
FLOOD = '#!/bin/sh\nhead -c 10485760 /dev/zero | tr "\\0" x; until [ -e go ]; do sleep 0.02; done; echo; echo ended\n'


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    for name, text in (("slow", SLOW), ("flood", FLOOD)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    more = "limits: {commands: 1000/s, burst: 1000}\n"
    async with running(make_hub(tmp_path, people=PEOPLE, actions=ACTIONS, more=more)) as bench:
        yield bench


def who(name: str) -> Caller:
    return Caller(principal=name, name=name, kind="person", assurance=Assurance.SIGNED_IN, proof=f"test:{name}")


async def begun(bench: Bench, action: str, **params: str) -> str:
    """The id of a run under way."""
    reply = await bench.ask("ana", "request", action=action, params=params)
    assert reply.approval is not None, reply
    name = str(reply.approval["id"])
    await bench.until_state(name, "REVIEWING")
    digest = (await bench.state(name))["digest"]
    assert (await bench.ask("bo", "approve", ids=[name], digest=digest)).ok
    await bench.until_state(name, "APPLYING")
    return str((await bench.state(name))["run"]["id"])


async def to_the_end(bench: Bench, run: str, offset: int = 0) -> list[Output]:
    async with aclosing(bench.hub.watch(who("bo"), run, offset)) as found, asyncio.timeout(20):
        return [each async for each in found]


async def test_it_is_seen_as_it_is_printed_whole_and_without_secrets(bench: Bench, tmp_path: Path) -> None:
    run = await begun(bench, "slow", password="hunter22")
    async with aclosing(bench.hub.watch(who("bo"), run, 0)) as found, asyncio.timeout(20):
        assert (await anext(found)).text == "begun\n"  # and not the beginning of what may be a secret
        (tmp_path / "half").touch()
        second = await anext(found)
        assert second.text == "••• and \ufffd "  # and not half of a character
        (tmp_path / "more").touch()
        third = await anext(found)
        assert (third.offset, third.text) == (second.next, "é\n")
        (tmp_path / "go").touch()
        last = [each async for each in found]
    assert [(each.text, each.ended) for each in last] == [("ended\n", False), ("", True)]
    whole = await to_the_end(bench, run)
    assert "".join(each.text for each in whole) == "begun\n••• and \ufffd é\nended\n"
    assert (await to_the_end(bench, run, third.next))[0].text == "ended\n"
    assert [each.ended for each in await to_the_end(bench, run, 10_000)] == [True]


async def test_a_flood_is_bounded_and_told_and_the_run_never_waits(bench: Bench, tmp_path: Path) -> None:
    run = await begun(bench, "flood")
    async with aclosing(bench.hub.watch(who("bo"), run, 0)) as found, asyncio.timeout(30):
        first = await anext(found)
        live_run = bench.hub.runner.live[int(run[1:])]
        await until(lambda: live_run.printed.total == 10_485_760)  # nobody reads meanwhile
        assert len(live_run.printed.text()) < 1_100_000
        (tmp_path / "go").touch()
        rest = [each async for each in found]
    everything = [first, *rest]
    assert sum(len(each.text) + each.skipped for each in everything) == 10_485_760 + len("\nended\n")
    assert max(len(each.text) for each in everything) <= 65_536
    assert "".join(each.text for each in everything).endswith("x\nended\n")
    assert sum(each.skipped for each in await to_the_end(bench, run)) == 10_485_767 - 1_048_576  # what is kept at last


async def test_only_who_may_see_the_approval_sees_what_it_prints(bench: Bench) -> None:
    run = await begun(bench, "hidden")
    assert (await bench.hub.outputs.look(who("bo"), run, 0)).run == run
    for caller, wanted in ((who("dee"), run), (who("bo"), "R999")):
        with pytest.raises(NotFound):
            await bench.hub.outputs.look(caller, wanted, 0)
        with pytest.raises(NotFound):
            await anext(bench.hub.watch(caller, wanted, 0))


async def test_what_is_printed_is_saved_meanwhile_and_is_no_result_yet(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SAVE_SECONDS", 0.02)
    run = await begun(bench, "slow", password="hunter22")

    async def is_saved() -> bool:
        return (await bench.hub.db.read(find_run, int(run[1:]))).output == b"begun\n"

    await until(is_saved)
    assert await bench.hub.output(run) == b""


async def test_what_was_printed_before_a_crash_can_still_be_read(bench: Bench) -> None:
    def as_a_killed_hub_left_it(tx: Tx) -> None:
        approval = find(tx, 1)
        number = insert_run(tx, approval=1, kind="apply", token=7, lock_id=None, holder="gone")
        change(tx, approval, to=State.APPLYING, run=number)
        identify(tx, number, {"http": True})
        keep_output(tx, number, b"begun\n", 0)

    reply = await bench.ask("ana", "request", action="later", params={})
    assert reply.approval is not None
    await bench.until_state("A1", "REVIEWING")
    digest = (await bench.state("A1"))["digest"]
    assert (await bench.ask("bo", "approve", ids=["A1"], digest=digest)).ok
    await bench.hub.db.write(as_a_killed_hub_left_it)
    assert await recover(bench.hub.db, lambda: bench.hub.world) == 1
    assert (await bench.state("A1"))["run"]["output_tail"] == "begun\n"
    found = await to_the_end(bench, "R1")
    assert [(each.text, each.ended) for each in found] == [("begun\n", False), ("", True)]
    ahead = await to_the_end(bench, "R1", 400)
    assert [(each.text, each.ended) for each in ahead] == [("", True)]  # who had more has nothing twice


async def test_what_an_agent_reports_is_followed_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "LOOK_SECONDS", 0.02)
    run = await begun(bench, "train")
    work = (await bench.ask("deploy-bot", "work-claim")).data["work"]
    proof = {"run": work["run"], "claim": work["claim"]}
    async with aclosing(bench.hub.watch(who("bo"), run, 0)) as found, asyncio.timeout(20):
        assert (await bench.ask("deploy-bot", "work-report", **proof, output="epoch 1\n")).ok
        assert (await anext(found)).text == "epoch 1\n"
        assert (await bench.ask("deploy-bot", "work-report", **proof, output="epoch 2\n")).ok
        assert (await anext(found)).text == "epoch 2\n"
        assert (await bench.ask("deploy-bot", "work-conclude", **proof, outcome="completed", output="done\n")).ok
        assert [(each.text, each.ended) async for each in found] == [("done\n", False), ("", True)]
