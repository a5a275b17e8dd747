"""The keeper spoken to directly, as a hub would: what it does when the hub is slow, silent or gone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.apply import keeper
from core.apply.identity import birth


class Hub:
    """The hub's end, without a hub."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        self._ours.settimeout(10)
        self._lines = self._ours.makefile("r")
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", keeper.__file__, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )

    def say(self, **message: Any) -> None:
        self._ours.sendall(json.dumps(message).encode() + b"\n")

    def hear(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._lines.readline() or "{}")
        return message

    def plan(self, code: str) -> int:
        self.say(
            executable=sys.executable,
            argv=["python", "-I", "-S", "-c", code],
            env={},
            cwd="/",
            user=None,
            groups=None,
            cgroup=None,
        )
        pid: int = self.hear()["ready"]
        return pid

    def go(self, **options: Any) -> None:
        defaults = {"go": True, "timeout_at": time.monotonic() + 60, "lease_at": None, "grace_seconds": 0.2}
        self.say(**(defaults | options))

    def leave(self) -> None:
        self._lines.close()
        self._ours.close()

    def close(self) -> None:
        self.leave()
        assert self.process.stdout is not None
        self.process.stdout.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.close()


def test_a_hub_that_never_says_what_to_run_ends_it(hub: Hub) -> None:
    hub.leave()
    assert hub.process.wait(10) == 0


def test_a_hub_that_is_lost_at_the_gate_means_that_nothing_ran(hub: Hub, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    pid = hub.plan(f"open({str(trace)!r}, 'w')")
    hub.leave()
    assert hub.process.wait(10) == 0
    assert birth(pid) is None
    assert not trace.exists()


def test_anything_but_go_means_that_nothing_ran(hub: Hub, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    hub.plan(f"open({str(trace)!r}, 'w')")
    hub.say(stop=True)
    assert hub.hear() == {"failed": {"step": "gate", "errno": 0}}
    assert not trace.exists()


def test_a_lost_hub_kills_the_command(hub: Hub) -> None:
    pid = hub.plan("import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)")
    hub.go()
    assert hub.process.stdout is not None
    hub.process.stdout.readline()
    began = time.monotonic()
    hub.leave()
    assert hub.process.wait(10) == 0
    assert birth(pid) is None
    assert time.monotonic() - began < 5


def test_a_hub_that_stalls_does_not_keep_the_command_past_its_lease(hub: Hub) -> None:
    """Nobody reads or writes the socket; the deadline that was told is enough."""
    pid = hub.plan("import time; time.sleep(60)")
    hub.go(lease_at=time.monotonic() + 0.3)
    assert hub.process.wait(10) == 0
    assert birth(pid) is None
    assert hub.hear() == {"running": True}
    ended = hub.hear()["ended"]
    assert (ended["reason"], ended["signal"], ended["reaped"]) == (
        "lease_lost",
        signal.SIGKILL,
        sys.platform == "linux",
    )


def test_what_is_said_before_the_command_runs_is_obeyed(hub: Hub) -> None:
    hub.plan("import time; time.sleep(60)")
    message = {"go": True, "timeout_at": time.monotonic() + 60, "lease_at": None, "grace_seconds": 0.2}
    hub._ours.sendall(json.dumps(message).encode() + b'\n{"stop": true}\n')
    assert hub.hear() == {"running": True}
    assert hub.hear()["ended"]["reason"] == "stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_keeper_does_not_leave_the_command_alone(hub: Hub, number: signal.Signals) -> None:
    hub.plan("import sys; print(1, flush=True); sys.exit(3 if sys.stdin.read() == '' else 4)")
    os.kill(hub.process.pid, number)
    hub.go()
    assert hub.hear() == {"running": True}
    ended = hub.hear()["ended"]
    assert (ended["reason"], ended["code"]) == (None, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="open files are read from /proc")
def test_the_keeper_holds_none_of_the_commands_streams(hub: Hub) -> None:
    """Else a reader of the output would wait for the keeper, and a writer of stdin would never learn that nobody reads."""
    hub.plan("import time; time.sleep(60)")
    hub.go()
    assert hub.hear() == {"running": True}
    assert {os.readlink(f"/proc/{hub.process.pid}/fd/{stream}") for stream in (0, 1, 2)} == {os.devnull}
    assert hub.process.stdout is not None
    command_end = os.fstat(hub.process.stdout.fileno()).st_ino
    held = {os.stat(f"/proc/{hub.process.pid}/fd/{fd}").st_ino for fd in os.listdir(f"/proc/{hub.process.pid}/fd")}
    assert command_end not in held


def test_the_keeper_knows_nothing_of_interlock() -> None:
    """It runs with `-I -S`, where nothing but the standard library can be imported."""
    source = Path(keeper.__file__).read_text()
    assert "from core" not in source
    assert "import core" not in source
