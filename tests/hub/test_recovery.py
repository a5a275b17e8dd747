"""A run of which nothing began has failed; and what retention takes away from a run. Kills are in tests/journeys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hubs import Bench, make_hub, running
from sqlalchemy import bindparam, update

from core.approvals.approval import change, find
from core.approvals.run import find_run, insert_run
from core.approvals.states import State
from core.store import schema
from core.store.statement import Statement
from core.store.tx import Tx
from hub.recovery import recover
from hub.timers import sweep

pytestmark = pytest.mark.anyio

ACTIONS = """
actions:
  deploy:
    title: "Deploy"
    resources: ["env:prod"]
    START
    apply: {command: ["./work", "apply"], timeout: 60s}
    rollback: {command: ["./work", "rollback"], timeout: 60s}
"""
WORK = '#!/bin/sh\necho did "$1"\n'
POLICY = """
policies:
  - {name: default, require: [{group: sre, count: 1}], rollback: allow}
"""


@asynccontextmanager
async def bench_in(folder: Path, *, start: str = "start: auto") -> AsyncIterator[Bench]:
    (folder / "work").write_text(WORK)
    (folder / "work").chmod(0o755)
    more = "limits: {commands: 1000/s, burst: 1000}\n"
    hub = make_hub(folder, actions=ACTIONS.replace("START", start), policies=POLICY, more=more)
    async with running(hub) as bench:
        yield bench


async def approved(bench: Bench) -> str:
    reply = await bench.ask("ana", "request", action="deploy", params={})
    assert reply.approval is not None
    name = str(reply.approval["id"])
    await bench.until_state(name, "REVIEWING")
    digest = (await bench.state(name))["digest"]
    assert (await bench.ask("bo", "approve", ids=[name], digest=digest)).ok
    return name


async def test_a_run_whose_command_was_never_let_go_has_failed(tmp_path: Path) -> None:
    def begin(tx: Tx) -> None:
        """As far as a start gets before its process exists."""
        approval = find(tx, 1)
        number = insert_run(tx, approval=1, kind="apply", token=7, lock_id=None, holder="gone")
        change(tx, approval, to=State.APPLYING, run=number)

    async with bench_in(tmp_path, start="start: manual") as bench:
        name = await approved(bench)
        await bench.hub.db.write(begin)
        assert await recover(bench.hub.db, lambda: bench.hub.world) == 1
        seen = await bench.state(name)
        assert (seen["state"], seen["run"]["why"]) == ("FAILED", "the hub ended before the command began")
        assert await recover(bench.hub.db, lambda: bench.hub.world) == 0


_AGE = Statement(update(schema.run).where(schema.run.c.id == bindparam("w_id")).values(ended_at=bindparam("ended_at")))


async def test_old_output_is_forgotten_and_the_log_keeps_every_entry(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        names = [await approved(bench) for _ in range(2)]
        for name in names:
            await bench.until_state(name, "COMPLETED")
        old = int((await bench.state(names[0]))["run"]["id"][1:])
        keep = bench.hub.world.keep.output_seconds

        def age(tx: Tx) -> Any:
            tx.run(_AGE, w_id=old, ended_at=tx.now_us - int((keep + 1) * 1_000_000))
            sweep(tx, bench.hub.world)
            return find_run(tx, old)

        before = await bench.events()
        assert (await bench.hub.db.write(age)).output is None
        assert [(await bench.state(name))["run"]["output_tail"] for name in names] == ["", "did apply\n"]
        assert (await bench.events())[: len(before)] == before
