"""`interlock lease run`: the command lives under its lease, through restarts, and never without it."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import psutil
import pytest
from processes import HubProcess


def begin(hub: HubProcess, script: str, *options: str, as_: str = "ana") -> subprocess.Popen[str]:
    """A command under a lease on env:prod, once that is free; it says its process id first."""
    return hub.begin(
        "lease", "run", "env:prod", "--wait", "60", *options, "--", "sh", "-c", f"echo $$; {script}", as_=as_
    )


def pid_of(running: subprocess.Popen[str]) -> int:
    """The process id of the command, which it says first."""
    assert running.stdout is not None
    return int(running.stdout.readline())


def settled(running: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = running.communicate(timeout=60)
    return running.returncode, out, err


def gone(pid: int) -> bool:
    """Whether the process has ended, waiting for that."""
    until = time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_a_command_outlives_a_hub_that_is_killed_and_started_again(hub: HubProcess) -> None:
    go = hub.root / "go"
    running = begin(hub, f"until [ -e {go} ]; do sleep 0.05; done; echo done; exit 5", "--ttl", "60")
    pid_of(running)
    hub.restart()
    with hub.client("bo") as bo:
        (lease,) = bo.get("/v1/leases").json()["items"]
        assert lease["purpose"].startswith("sh -c echo")
        go.touch()
        assert settled(running)[:2] == (5, "done\n")
        assert bo.get("/v1/leases").json()["items"] == []


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP])
def test_a_command_dies_when_nobody_is_left_to_renew_its_lease(standing_hub: HubProcess, sign: int) -> None:
    running = begin(standing_hub, "sleep 60 & wait", "--ttl", "2")
    command = pid_of(running)
    (child,) = children_of(command)
    time.sleep(1)  # the guardian is told of a command as soon as that runs, not before
    os.kill(running.pid, sign)
    assert gone(command), "while its lease cannot be renewed nothing of it may go on"
    assert gone(child)
    running.kill()
    settled(running)


def children_of(pid: int) -> list[int]:
    """What the process has started, once it has."""
    until = time.monotonic() + 10
    while not (found := psutil.Process(pid).children()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return [each.pid for each in found]


def test_what_the_command_started_dies_with_it_when_the_lease_is_broken(standing_hub: HubProcess) -> None:
    running = begin(standing_hub, "trap '' TERM; (trap '' TERM; sleep 60) & wait; sleep 60", "--ttl", "2")
    command = pid_of(running)
    (child,) = children_of(command)
    with standing_hub.client("ana") as ana:
        (lease,) = ana.get("/v1/leases").json()["items"]
        assert ana.post(f"/v1/leases/{lease['lock_id']}/break", json={"reason": "needed now"}).status_code == 200
    code, _, err = settled(running)
    assert code == 6
    assert "is lost" in err and "the command was killed" in err
    assert gone(command) and gone(child)


@pytest.mark.parametrize(
    ("script", "code"),
    [("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done", 7), ("echo ready; exec sleep 60", 128 + 15)],
)
def test_a_signal_reaches_the_command_whose_end_is_ours(standing_hub: HubProcess, script: str, code: int) -> None:
    running = begin(standing_hub, script)
    pid_of(running)
    assert running.stdout is not None and running.stdout.readline() == "ready\n"
    running.send_signal(signal.SIGTERM)
    assert settled(running)[0] == code
    assert standing_hub.json("lease", "list", as_="ana")["items"] == []


def test_who_is_terminated_while_waiting_leaves_no_place_behind(standing_hub: HubProcess) -> None:
    held = standing_hub.run("lease", "acquire", "env:prod", as_="bo")
    waiting = standing_hub.begin("lease", "run", "env:prod", "--wait", "60", "--", "true", as_="ana")
    assert waiting.stderr is not None
    assert "place 1" in waiting.stderr.readline()
    waiting.send_signal(signal.SIGTERM)
    assert settled(waiting)[0] == 128 + 15
    with standing_hub.client("ana") as ana:
        said = ana.post("/v1/commands", json={"text": "locks"}).json()
        assert said["data"]["waiting"] == []
    assert standing_hub.run("lease", "release", *held.stdout.split(), as_="bo").returncode == 0


def test_through_the_control_socket_the_operator_is_refused_and_a_hub_that_is_gone_is_named(hub: HubProcess) -> None:
    refused = hub.run("lease", "run", "env:prod", "--", "true")
    assert refused.returncode == 3, refused.stderr
    assert hub.stop() == 0
    gone_by = hub.run("lease", "run", "env:prod", "--", "true")
    assert gone_by.returncode == 8
    assert "no hub runs on this data directory" in gone_by.stderr


def test_shared_leases_run_side_by_side_and_a_missing_command_is_a_usage_error(standing_hub: HubProcess) -> None:
    reading = begin(standing_hub, "exec sleep 60", "--shared")
    pid_of(reading)
    beside = standing_hub.run("lease", "run", "env:prod", "--shared", "--", "true", as_="bo")
    assert beside.returncode == 0, beside.stderr
    alone = standing_hub.run("lease", "run", "env:prod", "--json", "--", "true", "--json", as_="bo")
    assert alone.returncode == 3
    assert '"code": "held"' in alone.stdout
    reading.send_signal(signal.SIGTERM)
    settled(reading)
    missing = standing_hub.run("lease", "run", "env:prod", "--", "/no/such/command", as_="bo")
    assert missing.returncode == 2
    assert standing_hub.json("lease", "list", as_="bo")["items"] == []
