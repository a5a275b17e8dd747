"""After the hub's death: the recorded group is killed, proved dead, and never mistaken for another."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.apply.identity import MARK, Identity, birth, boot, namespace
from core.apply.prepared import Prepared
from core.apply.process import run
from core.apply.reaper import Proof, descends_from_run, kill_recorded

Python = Callable[..., Prepared]
Alive = Callable[[int], bool]

ROOT = Path(__file__).parents[3]

HUB = """
import asyncio, json, sys
from pathlib import Path
from core.apply.prepared import Prepared
from core.apply.process import run

async def record(identity):
    print(json.dumps({"identity": identity.to_json()}), flush=True)

async def main():
    command = Prepared(
        executable=Path(sys.executable), argv=("python", "-I", "-S", "-c", sys.argv[1]), cwd=Path("/"),
        timeout_seconds=60, env={"PATH": "/usr/bin:/bin", "INTERLOCK_RUN": "R9"},
    )
    await run(command, on_started=record, stop=asyncio.Event(), on_output=lambda text: print(text, end="", flush=True))

asyncio.run(main())
"""

COMMAND = """
import json, os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
ends = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(ends[1], b'%d' % os.getpid())
        time.sleep(60)
    os._exit(0)
escaped = int(os.read(ends[0], 20))
print(json.dumps({"escaped": escaped}), flush=True)
time.sleep(60)
"""


def gone_within(seconds: float, *pids: int) -> bool:
    """Whether all of them end in that time."""
    until = time.monotonic() + seconds
    while any(birth(pid) is not None for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


class DoomedHub:
    """A hub in a process of its own, with a run under way."""

    def __init__(self, command: str = COMMAND) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HUB, command],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            text=True,
        )
        said: dict[str, Any] = {}
        assert self.process.stdout is not None
        while not {"identity", "escaped"} <= said.keys():
            said |= json.loads(self.process.stdout.readline())
        self.identity = Identity.from_json(said["identity"])
        self.escaped: int = said["escaped"]

    def die(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def hub() -> Iterator[DoomedHub]:
    hub = DoomedHub()
    yield hub
    for pid in (hub.identity.pid, hub.escaped, hub.identity.keeper_pid):
        if birth(pid) is not None:
            os.kill(pid, signal.SIGKILL)
    hub.die()
    assert hub.process.stdout is not None
    hub.process.stdout.close()


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that leads its own group and belongs to no run."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_command_does_not_outlive_its_hub(hub: DoomedHub) -> None:
    hub.die()
    assert gone_within(5, hub.identity.pid, hub.escaped, hub.identity.keeper_pid)
    assert kill_recorded(hub.identity) is Proof.GONE


def test_recovery_does_not_wait_for_the_keepers_grace(hub: DoomedHub) -> None:
    hub.die()
    assert kill_recorded(hub.identity) is Proof.DEAD
    assert gone_within(0, hub.identity.pid, hub.escaped, hub.identity.keeper_pid)


def test_recovery_kills_behind_a_stuck_keeper(hub: DoomedHub) -> None:
    os.kill(hub.identity.keeper_pid, signal.SIGSTOP)
    hub.die()
    assert kill_recorded(hub.identity) is Proof.DEAD
    assert gone_within(0, hub.identity.pid, hub.escaped, hub.identity.keeper_pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_the_command_dies_with_its_keeper_and_the_mark_finds_who_escaped(hub: DoomedHub) -> None:
    os.kill(hub.process.pid, signal.SIGSTOP)
    os.kill(hub.identity.keeper_pid, signal.SIGKILL)
    assert gone_within(5, hub.identity.pid)
    assert not gone_within(0, hub.escaped)
    hub.die()
    assert kill_recorded(hub.identity) is Proof.DEAD
    assert gone_within(0, hub.escaped)
    assert kill_recorded(hub.identity) is Proof.GONE


def of(process: subprocess.Popen[bytes], **changes: Any) -> Identity:
    """An identity with the numbers of a process that is not a run."""
    born = birth(process.pid)
    assert born is not None
    identity = Identity(
        mark="0" * 32,
        pid=process.pid,
        birth=born,
        keeper_pid=process.pid,
        keeper_birth="never",
        hub_pid=os.getpid(),
        boot=boot(),
        namespace=namespace(),
    )
    return replace(identity, **changes)


def test_a_number_that_was_given_to_another_process_is_left_alone(bystander: subprocess.Popen[bytes]) -> None:
    assert kill_recorded(of(bystander, birth="1")) is Proof.NOT_OURS
    assert bystander.poll() is None


def test_the_very_process_is_killed(bystander: subprocess.Popen[bytes]) -> None:
    assert kill_recorded(of(bystander)) is Proof.DEAD
    assert bystander.wait(5) == -signal.SIGKILL


def test_nothing_survives_a_reboot_so_nothing_is_touched(bystander: subprocess.Popen[bytes]) -> None:
    assert kill_recorded(of(bystander, boot="another")) is Proof.GONE
    assert bystander.poll() is None


def test_another_pid_namespace_proves_nothing_unless_the_hub_was_its_first_process(
    bystander: subprocess.Popen[bytes],
) -> None:
    assert kill_recorded(of(bystander, namespace="pid:[1]")) is Proof.SURVIVES
    assert kill_recorded(of(bystander, namespace="pid:[1]", hub_pid=1)) is Proof.GONE
    assert bystander.poll() is None


def test_a_member_of_the_group_that_cannot_be_proved_ours_is_spared_and_reported() -> None:
    """The leader is dead and its number free, so nobody can say whose group this was."""
    code = "import os, time\npid = os.fork()\nif pid == 0: time.sleep(60)\nprint(pid, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE, text=True
    ) as leader:
        assert leader.stdout is not None
        orphan = int(leader.stdout.readline())
    try:
        identity = Identity(
            mark="0" * 32,
            pid=leader.pid,
            birth="1",
            keeper_pid=leader.pid,
            keeper_birth="1",
            hub_pid=os.getpid(),
            boot=boot(),
            namespace=namespace(),
        )
        assert kill_recorded(identity) is Proof.SURVIVES
        assert birth(orphan) is not None
    finally:
        os.kill(orphan, signal.SIGKILL)


def test_an_identity_survives_json(bystander: subprocess.Popen[bytes]) -> None:
    identity = of(bystander, cgroup="/sys/fs/cgroup/x")
    assert Identity.from_json(json.loads(json.dumps(identity.to_json()))) == identity


# Who asks at the control socket


PEERS = """
import os, signal, time
print('main', os.getpid(), flush=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve('/bin/sh', ['sh', '-c', 'echo scrubbed $$; exec sleep 60'], {})
    os._exit(0)
time.sleep(60)
"""


@pytest.mark.anyio
async def test_every_process_of_a_run_is_known_as_one(python: Python, onlooker: Any) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(
        run(python(PEERS), on_started=onlooker.on_started, on_output=onlooker.on_output, stop=stop)
    )
    main, scrubbed = await onlooker.pid("main"), await onlooker.pid("scrubbed")
    assert MARK not in psutil.Process(scrubbed).environ()
    assert descends_from_run(main)
    if sys.platform == "linux":
        assert descends_from_run(scrubbed)
    assert descends_from_run(onlooker.identities[0].keeper_pid)
    stop.set()
    await running


def test_a_process_with_a_runs_variable_counts_as_one() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env=os.environ | {"INTERLOCK_RUN": "R9"}
    ) as process:
        assert descends_from_run(process.pid)
        process.kill()


def test_an_ordinary_process_belongs_to_no_run(bystander: subprocess.Popen[bytes]) -> None:
    assert not descends_from_run(bystander.pid)
    assert not descends_from_run(os.getpid())


def test_who_cannot_be_looked_at_counts_as_a_run(bystander: subprocess.Popen[bytes]) -> None:
    bystander.kill()
    bystander.wait()
    assert descends_from_run(bystander.pid)
