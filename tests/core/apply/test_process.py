"""Real processes: how they start, print, end, and are made to end."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import uvloop

from core.apply.deadline import Deadline
from core.apply.exit import Exit
from core.apply.identity import MARK, Identity
from core.apply.prepared import Account, Prepared
from core.apply.process import run
from core.errors import Conflict, Invalid, Refusal

pytestmark = pytest.mark.anyio

Python = Callable[..., Prepared]
Alive = Callable[[int], bool]

SLEEPER = "import time; print('ready', flush=True); time.sleep(60)"

STUBBORN = """
import signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
print('ready', flush=True)
time.sleep(60)
"""

ESCAPEES = """
import os, signal, time
def stay(name):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(name, os.getpid(), flush=True)
    time.sleep(60)
    os._exit(0)
if os.fork() == 0:
    stay('grandchild')
if os.fork() == 0:
    os.setsid()
    stay('setsid')
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        stay('daemon')
    os._exit(0)
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.execve('/bin/sh', ['sh', '-c', 'echo scrubbed $$; exec sleep 60'], {})
"""


async def carry_out(command: Prepared, onlooker: object = None, **options: object) -> Exit:
    async def record(_: Identity) -> None: ...

    defaults: dict[str, object] = {"on_started": record, "stop": asyncio.Event()}
    if onlooker is not None:
        defaults |= {"on_started": onlooker.on_started, "on_output": onlooker.on_output}  # type: ignore[attr-defined]
    return await run(command, **(defaults | options))  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [0, 1, 7, 125, 126, 127, 255])
async def test_the_exit_code_is_the_commands_own(python: Python, code: int) -> None:
    end = await carry_out(python(f"raise SystemExit({code})"))
    assert (end.status, end.exit_code, end.signal, end.wholly_reaped) == ("exited", code, None, True)
    assert end.started_at <= end.ended_at


async def test_a_command_that_a_signal_ends_is_signalled(python: Python) -> None:
    end = await carry_out(python("import os; os.kill(os.getpid(), 11)"))
    assert (end.status, end.exit_code, end.signal, end.wholly_reaped) == ("signalled", None, signal.SIGSEGV, True)


async def test_both_streams_come_in_the_order_in_which_they_were_written(python: Python) -> None:
    code = "import os\nfor i in range(200): os.write(1 + i % 2, b'%d\\n' % i)"
    end = await carry_out(python(code))
    assert end.output == "".join(f"{i}\n" for i in range(200))
    assert end.output_sha256 == hashlib.sha256(end.output.encode()).hexdigest()


async def test_output_is_shown_while_the_command_runs(python: Python, onlooker: object) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(carry_out(python(SLEEPER), onlooker, stop=stop))
    await onlooker.line("ready")  # type: ignore[attr-defined]
    assert not running.done()
    stop.set()
    assert (await running).output == "ready\n"


async def test_arguments_reach_the_command_exactly(python: Python) -> None:
    arguments = ("a b", "$(id)", "; rm -rf /", "*", "", "é\n", "--")
    end = await carry_out(python("import sys; print(ascii(sys.argv[1:]))", *arguments))
    assert end.output == ascii(list(arguments)) + "\n"


async def test_a_command_starts_in_a_clean_state(python: Python, tmp_path: Path) -> None:
    code = """
import os, resource, signal, sys
print(os.getcwd())
print(os.getsid(0) == os.getpid() == os.getpgid(0))
print(sorted(int(fd) for fd in os.listdir('/dev/fd'))[:4], sys.stdin.read() == '')
print(oct(os.umask(0)), resource.getrlimit(resource.RLIMIT_CORE))
print([n for n in (1, 2, 15) if signal.getsignal(n) not in (signal.SIG_DFL, signal.default_int_handler)])
print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""
    leaked = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(leaked, True)
    try:
        end = await carry_out(python(code))
    finally:
        os.close(leaked)
    # 3 is the listing's own descriptor.
    assert end.output.splitlines() == [str(tmp_path), "True", "[0, 1, 2, 3] True", "0o22 (0, 0)", "[]", "set()"]


async def test_the_environment_is_what_was_given_and_a_mark(python: Python, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_SECRET", "canary")
    end = await carry_out(python("import os; print(sorted(os.environ))", env={"PATH": "/bin", "LC_ALL": "C.UTF-8"}))
    assert end.output == f"{sorted(['PATH', 'LC_ALL', MARK])}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="no_new_privs is Linux's")
async def test_nothing_a_command_starts_can_gain_privileges(python: Python) -> None:
    end = await carry_out(python("print(open('/proc/self/status').read())"))
    assert "NoNewPrivs:\t1" in end.output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_run_as_leaves_nothing_of_the_hubs_account(tmp_path: Path) -> None:
    command = Prepared(
        executable=Path("/bin/sh"),
        argv=("sh", "-c", "id -u; id -g; id -G; grep -c '^Cap\\(Prm\\|Eff\\|Inh\\):.0*$' /proc/self/status"),
        cwd=Path("/"),
        timeout_seconds=10,
        env={"PATH": "/usr/bin:/bin"},
        account=Account(uid=65534, groups=(65534, 1234)),
    )
    end = await carry_out(command)
    assert end.output.split("\n")[:3] == ["65534", "65534", "65534 1234"]
    if sys.platform == "linux":
        assert end.output.split("\n")[3] == "3"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_run_as_is_killed_whole_as_well(tmp_path: Path, onlooker: object, alive: Alive) -> None:
    command = Prepared(
        executable=Path("/bin/sh"),
        argv=("sh", "-c", "trap '' TERM; (setsid sh -c 'echo escaped $$; exec sleep 60') & echo ready; sleep 60"),
        cwd=Path("/"),
        timeout_seconds=30,
        env={"PATH": "/usr/bin:/bin"},
        account=Account(uid=65534, groups=(65534,)),
    )
    stop = asyncio.Event()
    running = asyncio.create_task(carry_out(command, onlooker, stop=stop, grace_seconds=0.1))
    escaped = await onlooker.pid("escaped")  # type: ignore[attr-defined]
    await onlooker.line("ready")  # type: ignore[attr-defined]
    stop.set()
    assert (await running).wholly_reaped
    assert not alive(escaped)


# What could not be started


async def test_a_program_that_vanished_is_a_refusal(python: Python, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="missing") as refused:
        await carry_out(python("", executable=tmp_path / "gone"))
    assert refused.value.code == "command_not_started"
    assert refused.value.data == {"step": "command", "errno": "ENOENT"}


async def test_a_program_that_may_not_be_run_is_a_refusal(python: Python, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(Invalid) as refused:
        await carry_out(python("", executable=script))
    assert refused.value.data["errno"] == "EACCES"


async def test_a_script_without_an_interpreter_is_a_refusal(python: Python, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo hi\n")
    script.chmod(0o755)
    with pytest.raises(Invalid, match="#!") as refused:
        await carry_out(python("", executable=script))
    assert refused.value.data["errno"] == "ENOEXEC"


async def test_a_folder_that_vanished_is_a_refusal(python: Python, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        await carry_out(python("", cwd=tmp_path / "gone"))
    assert refused.value.data["step"] == "cwd"


async def test_nothing_runs_before_the_start_is_recorded(python: Python, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    at_the_gate: list[bool] = []

    async def on_started(identity: Identity) -> None:
        process = psutil.Process(identity.pid)
        assert os.getpgid(identity.pid) == identity.pid
        await asyncio.sleep(0.3)
        at_the_gate.append(process.is_running() and not trace.exists())

    await carry_out(python(f"open({str(trace)!r}, 'w')"), on_started=on_started)
    assert at_the_gate == [True]
    assert trace.exists()


async def test_nothing_runs_when_the_start_cannot_be_recorded(python: Python, tmp_path: Path, alive: Alive) -> None:
    trace = tmp_path / "trace"
    started: list[Identity] = []

    async def on_started(identity: Identity) -> None:
        started.append(identity)
        raise Conflict("moved", "the world moved")

    with pytest.raises(Conflict, match="moved"):
        await carry_out(python(f"open({str(trace)!r}, 'w')"), on_started=on_started)
    assert not trace.exists()
    assert not alive(started[0].pid)
    assert not alive(started[0].keeper_pid)


@pytest.mark.parametrize("when", ["before", "at the gate"])
async def test_nothing_runs_once_it_was_stopped(python: Python, tmp_path: Path, when: str) -> None:
    trace = tmp_path / "trace"
    stop = asyncio.Event()

    async def on_started(_: Identity) -> None:
        stop.set()

    if when == "before":
        stop.set()
    with pytest.raises(Refusal) as refused:
        await carry_out(python(f"open({str(trace)!r}, 'w')"), on_started=on_started, stop=stop)
    assert refused.value.code == "stopped"
    assert not trace.exists()


async def test_nothing_runs_once_the_lease_is_over(python: Python, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    deadline = Deadline(time.monotonic() + 60)

    async def on_started(_: Identity) -> None:
        deadline.move(time.monotonic())

    with pytest.raises(Refusal) as refused:
        await carry_out(python(f"open({str(trace)!r}, 'w')"), on_started=on_started, deadline=deadline)
    assert refused.value.code == "lease_lost"
    assert not trace.exists()


# Ends that were not the command's own


async def test_stop_asks_first(python: Python, onlooker: object) -> None:
    code = """
import os, signal, sys, time
def leave(*_):
    os.write(1, b'tidied\\n')  # print is not for signal handlers
    sys.exit(3)
signal.signal(signal.SIGTERM, leave)
print('ready', flush=True)
time.sleep(60)
"""
    stop = asyncio.Event()
    running = asyncio.create_task(carry_out(python(code), onlooker, stop=stop))
    await onlooker.line("ready")  # type: ignore[attr-defined]
    began = time.monotonic()
    stop.set()
    end = await running
    assert (end.status, end.exit_code, end.wholly_reaped) == ("stopped", 3, True)
    assert end.output == "ready\ntidied\n"
    assert time.monotonic() - began < 2


async def test_stop_kills_what_ignores_it_within_five_seconds(python: Python, onlooker: object) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(carry_out(python(STUBBORN), onlooker, stop=stop))
    await onlooker.line("ready")  # type: ignore[attr-defined]
    began = time.monotonic()
    stop.set()
    end = await running
    assert (end.status, end.exit_code, end.signal, end.wholly_reaped) == ("stopped", None, signal.SIGKILL, True)
    assert 2 <= time.monotonic() - began < 5


async def test_a_command_that_takes_too_long_is_killed(python: Python) -> None:
    began = time.monotonic()
    end = await carry_out(python(STUBBORN, timeout_seconds=0.5), grace_seconds=0.2)
    assert (end.status, end.wholly_reaped) == ("timed_out", True)
    assert time.monotonic() - began < 5


async def test_the_end_of_the_lease_kills_without_grace(python: Python, onlooker: object) -> None:
    deadline = Deadline(time.monotonic() + 60)
    running = asyncio.create_task(carry_out(python(STUBBORN), onlooker, deadline=deadline, grace_seconds=30))
    await onlooker.line("ready")  # type: ignore[attr-defined]
    began = time.monotonic()
    deadline.move(began + 0.3)
    end = await running
    assert (end.status, end.signal, end.wholly_reaped) == ("lease_lost", signal.SIGKILL, True)
    assert 0.3 <= time.monotonic() - began < 2


async def test_a_heartbeat_keeps_the_command_alive(python: Python, onlooker: object) -> None:
    deadline = Deadline(time.monotonic() + 1.0)
    code = "import sys, time; print('ready', flush=True); time.sleep(1.6); print('done')"
    running = asyncio.create_task(carry_out(python(code), onlooker, deadline=deadline))
    await onlooker.line("ready")  # type: ignore[attr-defined]
    deadline.move(time.monotonic() + 60)
    end = await running
    assert (end.status, end.exit_code) == ("exited", 0)


@pytest.mark.skipif(sys.platform != "linux", reason="orphans of other systems fall to process 1")
@pytest.mark.parametrize("ends_itself", [True, False])
async def test_nobody_escapes(python: Python, onlooker: object, alive: Alive, ends_itself: bool) -> None:
    code = ESCAPEES + ("" if ends_itself else "time.sleep(60)")
    stop = asyncio.Event()
    running = asyncio.create_task(carry_out(python(code), onlooker, stop=stop, grace_seconds=0.2))
    pids = [await onlooker.pid(name) for name in ("grandchild", "setsid", "daemon", "scrubbed")]  # type: ignore[attr-defined]
    if not ends_itself:
        stop.set()
    end = await running
    assert end.status == ("exited" if ends_itself else "stopped")
    assert end.wholly_reaped
    assert end.leftovers == (4 if ends_itself else 0)
    assert not [pid for pid in pids if alive(pid)]


async def test_a_grandchild_that_holds_the_pipe_blocks_nobody(python: Python, onlooker: object) -> None:
    code = "import os, time\nif os.fork() == 0: time.sleep(60)\nprint('done', flush=True)"
    began = time.monotonic()
    end = await carry_out(python(code), onlooker)
    assert (end.status, end.exit_code, end.leftovers, end.wholly_reaped) == ("exited", 0, 1, True)
    assert end.output == "done\n"
    assert time.monotonic() - began < 5


async def test_what_is_left_behind_may_end_by_itself(python: Python) -> None:
    code = "import os, time\nif os.fork() == 0:\n  time.sleep(0.2); os.write(1, b'flushed'); os._exit(0)"
    end = await carry_out(python(code))
    assert (end.status, end.leftovers, end.output) == ("exited", 0, "flushed")


async def test_a_pipe_held_outside_the_tree_blocks_nobody(python: Python, tmp_path: Path) -> None:
    """The command hands its stdout to this very process, which nobody will kill."""
    import socket

    path = str(tmp_path / "socket")
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    code = f"""
import socket
peer = socket.socket(socket.AF_UNIX)
peer.connect({path!r})
print('printed', flush=True)
socket.send_fds(peer, [b'x'], [1])
"""
    held: list[int] = []
    try:
        running = asyncio.create_task(carry_out(python(code)))
        connection, _ = await asyncio.to_thread(server.accept)
        with connection:
            _, held, _, _ = await asyncio.to_thread(socket.recv_fds, connection, 1, 1)
        async with asyncio.timeout(5):
            end = await running
        assert (end.status, end.wholly_reaped, end.output) == ("exited", True, "printed\n")
    finally:
        server.close()
        for fd in held:
            os.close(fd)


async def test_cancelling_kills_before_it_goes_on(python: Python, onlooker: object, alive: Alive) -> None:
    running = asyncio.create_task(carry_out(python(STUBBORN), onlooker, grace_seconds=0.2))
    await onlooker.line("ready")  # type: ignore[attr-defined]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    identity = onlooker.identities[0]  # type: ignore[attr-defined]
    assert not alive(identity.pid)
    assert not alive(identity.keeper_pid)


async def test_cancelling_kills_behind_a_stuck_keeper(python: Python, onlooker: object, alive: Alive) -> None:
    running = asyncio.create_task(carry_out(python(ESCAPEES + "time.sleep(60)"), onlooker))
    pids = [await onlooker.pid(name) for name in ("grandchild", "setsid", "daemon", "scrubbed")]  # type: ignore[attr-defined]
    os.kill(onlooker.identities[0].keeper_pid, signal.SIGSTOP)  # type: ignore[attr-defined]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not [pid for pid in pids if alive(pid)]


async def test_a_killed_keeper_is_not_the_end_of_the_watch(python: Python, onlooker: object, alive: Alive) -> None:
    running = asyncio.create_task(carry_out(python(ESCAPEES + "time.sleep(60)"), onlooker))
    pids = [await onlooker.pid(name) for name in ("grandchild", "setsid", "daemon")]  # type: ignore[attr-defined]
    scrubbed = await onlooker.pid("scrubbed")  # type: ignore[attr-defined]
    os.kill(scrubbed, signal.SIGKILL)
    os.kill(onlooker.identities[0].keeper_pid, signal.SIGKILL)  # type: ignore[attr-defined]
    end = await running
    assert (end.status, end.exit_code, end.wholly_reaped) == ("lost", None, True)
    assert not [pid for pid in pids if alive(pid)]


async def test_a_stuck_keeper_is_passed_over_within_five_seconds(
    python: Python, onlooker: object, alive: Alive
) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(carry_out(python(STUBBORN), onlooker, stop=stop))
    await onlooker.line("ready")  # type: ignore[attr-defined]
    identity = onlooker.identities[0]  # type: ignore[attr-defined]
    os.kill(identity.keeper_pid, signal.SIGSTOP)
    began = time.monotonic()
    stop.set()
    end = await running
    assert (end.status, end.wholly_reaped) == ("stopped", True)
    assert time.monotonic() - began < 6
    assert not alive(identity.pid)
    assert not alive(identity.keeper_pid)


# Output


async def test_a_flood_of_output_stays_within_the_limit_and_is_shown_whole(python: Python) -> None:
    code = """
import os
os.write(1, b'BEGIN')
for _ in range(1600): os.write(1, b'x' * 65536)
os.write(1, b'END')
"""
    shown = 0

    def count(text: str) -> None:
        nonlocal shown
        shown += len(text)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    end = await carry_out(python(code), on_output=count)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    total = 8 + 1600 * 65536
    assert end.status == "exited"
    assert end.truncated_bytes == total - 1_048_576
    assert end.output.startswith("BEGINx")
    assert end.output.endswith("xEND")
    assert len(end.output) < 1_048_576 + 100
    assert shown == total
    assert grown * (1 if sys.platform == "darwin" else 1024) < 32 << 20
    assert end.output_sha256 == hashlib.sha256(b"BEGIN" + b"x" * (1600 * 65536) + b"END").hexdigest()


async def test_output_that_is_no_text_is_kept_readable(python: Python) -> None:
    end = await carry_out(python("import os; os.write(1, b'a\\xff\\xfeb\\x00c\\xc3')"))
    assert end.output == "a\ufffd\ufffdb\ufffdc\ufffd"


# Secrets


async def test_secrets_are_in_no_argument_list(python: Python, onlooker: object) -> None:
    canary = "canary-5f1e9c"
    code = (
        "import sys, json; print(len(json.load(sys.stdin)['pin']), flush=True); print('ready', flush=True)\n" + SLEEPER
    )
    stop = asyncio.Event()
    command = python(code, env={"INTERLOCK_SECRET_PIN": canary}, stdin=f'{{"pin": "{canary}"}}'.encode())
    running = asyncio.create_task(carry_out(command, onlooker, stop=stop))
    await onlooker.line("ready")  # type: ignore[attr-defined]
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    stop.set()
    end = await running
    assert end.output.startswith(f"{len(canary)}\n")
    assert any("keeper.py" in line for line in lines)
    assert not any(canary in line for line in lines)
    assert canary not in repr(command)


async def test_a_secret_that_is_printed_is_taken_out(python: Python, onlooker: object) -> None:
    code = """
import os, sys, time
secret = sys.stdin.read()
for letter in 'a' + secret + 'z\\n':
    os.write(1, letter.encode()); time.sleep(0.002)
"""
    end = await carry_out(python(code, stdin=b"canary-5f1e9c", redact=("canary-5f1e9c",)), onlooker)
    assert end.output == "a•••z\n"
    assert onlooker.text == "a•••z\n"  # type: ignore[attr-defined]


async def test_a_large_stdin_reaches_a_slow_reader(python: Python) -> None:
    data = os.urandom(300_000)
    code = "import hashlib, sys, time; time.sleep(0.2); print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
    end = await carry_out(python(code, stdin=data))
    assert end.output.strip() == hashlib.sha256(data).hexdigest()


async def test_a_command_that_does_not_read_its_stdin_just_ends(python: Python) -> None:
    end = await carry_out(python("print('done')", stdin=b"x" * 300_000))
    assert (end.status, end.exit_code, end.output) == ("exited", 0, "done\n")


# Around it


async def test_nothing_is_left_open(python: Python) -> None:
    me = psutil.Process()
    await carry_out(python("print('warm')"))
    before = (me.num_fds(), len(me.children()))
    for _ in range(5):
        await carry_out(python("print('x')", stdin=b"y"))
        with pytest.raises(Invalid):
            await carry_out(python("", executable=Path("/nonexistent")))
    assert (me.num_fds(), len(me.children())) == before


async def test_many_commands_run_side_by_side(python: Python) -> None:
    ends = await asyncio.gather(*(carry_out(python(f"print({i}); raise SystemExit({i})")) for i in range(12)))
    assert [(end.exit_code, end.output) for end in ends] == [(i, f"{i}\n") for i in range(12)]


def test_the_same_holds_on_uvloop(python: Python) -> None:
    async def twice() -> list[Exit]:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(1.0, stop.set)
        return await asyncio.gather(
            carry_out(python("import sys; print(sys.stdin.read()); raise SystemExit(4)", stdin=b"in" * 100_000)),
            carry_out(python(SLEEPER), stop=stop),
        )

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        first, second = runner.run(twice())
    assert (first.status, first.exit_code, len(first.output), first.wholly_reaped) == ("exited", 4, 200_001, True)
    assert (second.status, second.signal, second.wholly_reaped) == ("stopped", signal.SIGTERM, True)


async def test_a_keeper_that_dies_at_the_gate_takes_the_command_with_it(
    python: Python, tmp_path: Path, alive: Alive
) -> None:
    trace = tmp_path / "trace"
    started: list[Identity] = []

    async def on_started(identity: Identity) -> None:
        started.append(identity)
        os.kill(identity.keeper_pid, signal.SIGKILL)

    end = await carry_out(python(f"open({str(trace)!r}, 'w')"), on_started=on_started)
    assert (end.status, end.wholly_reaped) == ("lost", True)
    assert not trace.exists()
    assert not alive(started[0].pid)


async def test_a_viewer_that_fails_changes_nothing_about_the_run(python: Python) -> None:
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["exception"]))

    def broken(text: str) -> None:
        raise RuntimeError(text)

    end = await carry_out(python("print('printed')"), on_output=broken)
    assert (end.status, end.output) == ("exited", "printed\n")
    assert [str(failure) for failure in failures] == ["printed\n"]


async def test_a_machine_without_descriptors_is_a_refusal_and_loses_none(python: Python) -> None:
    await carry_out(python("", stdin=b"x"))
    before = psutil.Process().num_fds()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    codes: list[str] = []
    for spare in range(12):
        resource.setrlimit(resource.RLIMIT_NOFILE, (before + spare, limits[1]))
        try:
            await carry_out(python("", stdin=b"x"))
        except Refusal as refused:
            codes.append(refused.code)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert set(codes) == {"command_not_started"}
    assert psutil.Process().num_fds() == before


async def test_an_argument_that_no_kernel_can_take_is_a_refusal(python: Python) -> None:
    with pytest.raises(Invalid) as refused:
        await carry_out(python("", "a\ud800b"))
    assert refused.value.data["step"] == "command"
