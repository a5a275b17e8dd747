"""A cgroup for each run, where the machine has cgroup v2 and lets this process make one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.apply import cgroup
from core.apply.cgroup import Cgroups, probe
from core.apply.identity import Identity
from core.apply.prepared import Prepared
from core.apply.process import run
from core.apply.reaper import Proof, kill_recorded
from core.errors import Invalid

Python = Callable[..., Prepared]


def mount() -> Path | None:
    """Where version 2 is mounted."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            before, _, after = line.partition(" - ")
            if after.startswith("cgroup2 "):
                return Path(before.split()[4])
    return None


@pytest.fixture
def cgroups() -> Iterator[Cgroups]:
    """Cgroups below a new one that belongs to this test."""
    top = mount()
    if top is None or not os.access(top, os.W_OK):
        pytest.skip("this machine lets no process make a cgroup (v2)")
    folder = top / f"interlock-test-{secrets.token_hex(6)}"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this machine lets no process make a cgroup (v2)")
    yield Cgroups(folder)
    assert cgroup.remove(str(folder)), f"somebody is left in {list(folder.iterdir())}"


ESCAPE = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve('/bin/sh', ['sh', '-c', 'trap "" TERM; echo scrubbed $$; exec sleep 60'], {})
    os._exit(0)
time.sleep(60)
"""


@pytest.mark.anyio
async def test_a_run_has_a_cgroup_of_its_own_that_is_gone_afterwards(
    python: Python, onlooker: Any, cgroups: Cgroups, alive: Callable[[int], bool]
) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(
        run(
            python(ESCAPE),
            on_started=onlooker.on_started,
            on_output=onlooker.on_output,
            stop=stop,
            cgroups=cgroups,
            grace_seconds=0.1,
        )
    )
    scrubbed = await onlooker.pid("scrubbed")
    identity: Identity = onlooker.identities[0]
    assert identity.cgroup is not None
    assert set(cgroup.members(identity.cgroup)) == {identity.pid, scrubbed}
    assert cgroup.belongs_to_run(scrubbed)
    assert not cgroup.belongs_to_run(os.getpid())
    stop.set()
    end = await running
    assert (end.status, end.wholly_reaped) == ("stopped", True)
    assert not alive(scrubbed)
    assert not Path(identity.cgroup).exists()


@pytest.mark.anyio
async def test_the_cgroup_finds_who_left_every_other_trace_behind(
    python: Python, onlooker: Any, cgroups: Cgroups, alive: Callable[[int], bool]
) -> None:
    """Keeper and command are dead; what is left has its own session, no mark, and process 1 as its parent."""
    running = asyncio.create_task(
        run(
            python(ESCAPE),
            on_started=onlooker.on_started,
            on_output=onlooker.on_output,
            stop=asyncio.Event(),
            cgroups=cgroups,
        )
    )
    scrubbed = await onlooker.pid("scrubbed")
    identity: Identity = onlooker.identities[0]
    os.kill(identity.keeper_pid, 9)
    end = await running
    assert (end.status, end.wholly_reaped) == ("lost", True)
    assert not alive(scrubbed)
    assert kill_recorded(identity) is Proof.GONE


@pytest.mark.anyio
async def test_a_command_that_cannot_start_leaves_no_cgroup(python: Python, onlooker: Any, cgroups: Cgroups) -> None:
    with pytest.raises(Invalid):
        await run(
            python("", executable=Path("/nonexistent")),
            on_started=onlooker.on_started,
            stop=asyncio.Event(),
            cgroups=cgroups,
        )
    assert not Path(onlooker.identities[0].cgroup).exists()


def test_a_cgroup_that_is_gone_has_no_members_and_is_removed() -> None:
    assert cgroup.members("/nonexistent/cgroup") == []
    assert cgroup.remove("/nonexistent/cgroup")


def test_a_cgroup_is_only_offered_where_it_works() -> None:
    found = probe()
    if found is not None:
        folder = found.create(secrets.token_hex(16))
        assert Path(folder, "cgroup.kill").exists()
        assert cgroup.remove(folder)


@pytest.mark.anyio
async def test_a_command_that_cannot_join_its_cgroup_does_not_run(python: Python, tmp_path: Path) -> None:
    """A cgroup that it is not in would prove nothing about it."""
    started: list[Identity] = []

    async def on_started(identity: Identity) -> None:
        started.append(identity)

    class Elsewhere(Cgroups):
        def create(self, mark: str) -> str:
            return str(tmp_path / "no-cgroup")

    with pytest.raises(Invalid) as refused:
        await run(python(""), on_started=on_started, stop=asyncio.Event(), cgroups=Elsewhere(tmp_path))
    assert refused.value.data["step"] == "cgroup"
    assert started == []
