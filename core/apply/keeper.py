"""The keeper: a small process of its own that stands between the hub and one command.

It is run as a script (`python -I -S keeper.py FD`) and imports nothing of Interlock. FD is one end of a
socket pair; both ends write one JSON object a line:

    hub -> keeper   {"argv", "executable", "env", "cwd", "user", "groups", "cgroup"}   what to start
    keeper -> hub   {"ready": pid}          the process exists and waits at a gate; nothing has run
    hub -> keeper   {"go": true, "timeout_at", "lease_at", "grace_seconds"}
    keeper -> hub   {"failed": {"step", "errno"}}   it could not be started; nothing has run
    keeper -> hub   {"running": true}
    hub -> keeper   {"lease_at": seconds}   a heartbeat moved the lease's deadline
    hub -> keeper   {"stop": true}
    keeper -> hub   {"ended": {"reason", "code", "signal", "reaped", "leftovers"}}

Times are seconds of CLOCK_MONOTONIC, which all processes of a machine share. Three things follow from there
being a keeper. The hub records the process before it runs anything. When the hub dies, stalls or forgets, the
socket closes or the deadline passes, and the command is killed all the same. And on Linux the keeper is the
reaper of every orphan below it (PR_SET_CHILD_SUBREAPER), so when `waitpid` answers ECHILD the kernel says that
nothing of the command is left, whatever called setsid or forked twice.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any, NoReturn

LINGER_SECONDS = 1.0
"""How long what a command left behind may take to end by itself once the command has ended."""

REAP_SECONDS = 2.0
"""How long after SIGKILL the keeper waits before it says that something survives."""

_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SWEEPS = 50
PART_SECONDS = 5.0
_AT_THE_GATE = b"."


class Wire:
    """The keeper's end of the socket pair: one JSON object a line."""

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)
        self.fd = fd
        self.open = True
        self._buffer = b""

    def next(self) -> dict[str, Any] | None:
        """The next message, waiting for it; None when the hub is gone."""
        while self.open and b"\n" not in self._buffer:
            self.fill()
        line, separator, rest = self._buffer.partition(b"\n")
        if not separator:
            return None
        self._buffer = rest
        message: dict[str, Any] = json.loads(line)
        return message

    def fill(self) -> None:
        """What the socket holds is buffered; `open` is false once the hub is gone."""
        try:
            data = os.read(self.fd, 65536)
        except ConnectionResetError:
            data = b""
        self.open = bool(data)
        self._buffer += data

    def waiting(self) -> list[dict[str, Any]]:
        """The whole messages that are buffered already."""
        messages = []
        while b"\n" in self._buffer:
            line, _, self._buffer = self._buffer.partition(b"\n")
            messages.append(json.loads(line))
        return messages

    def part(self) -> None:
        """The hub has read the last word and closed its end, or PART_SECONDS passed.

        A keeper that left at once could cost the hub that word: a write of the hub's into a closed socket ends its
        reading too.
        """
        until = time.monotonic() + PART_SECONDS
        poller = select.poll()
        poller.register(self.fd, select.POLLIN)
        while self.open and (left := until - time.monotonic()) > 0:
            if poller.poll(int(left * 1000) + 1):
                self.fill()

    def say(self, **message: Any) -> None:
        """The hub has the message, unless it is gone."""
        try:
            os.write(self.fd, json.dumps(message).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            self.open = False


class Watch:
    """One command from the moment it runs until nothing of it is left."""

    def __init__(self, wire: Wire, pid: int, cgroup: str | None, *, reaper_of_orphans: bool) -> None:
        self._wire = wire
        self._pid = pid
        self._cgroup = cgroup
        self._reaper_of_orphans = reaper_of_orphans
        self._timeout_at = float("inf")
        self._lease_at = float("inf")
        self._grace_seconds = 2.0
        self._status: int | None = None
        self._ended_at = float("inf")
        self._kill_at = float("inf")
        self._killed_at: float | None = None
        self._reason: str | None = None
        self._leftovers = 0
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if _LINUX else _pipe()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def until_dead(self) -> dict[str, Any]:
        """Nothing of the command is left, or REAP_SECONDS passed since SIGKILL; says which and how it ended."""
        self._obey()
        while not self._reaped():
            now = time.monotonic()
            self._judge(now)
            if now >= min(self._kill_at, self._lease_at):
                self._killed_at = self._killed_at or now
                if now > self._killed_at + REAP_SECONDS:
                    return self._report(reaped=False)
                kill(self._pid, self._cgroup, led=self._status is None)
            self._wait(now)
        return self._report(reaped=self._reaper_of_orphans)

    def hear(self, message: dict[str, Any]) -> None:
        """What the hub asked for holds from now on."""
        if "timeout_at" in message:
            self._timeout_at = message["timeout_at"]
        if "grace_seconds" in message:
            self._grace_seconds = message["grace_seconds"]
        if "lease_at" in message:
            self._lease_at = float("inf") if message["lease_at"] is None else message["lease_at"]
        if message.get("stop"):
            self._end("stopped")

    def _judge(self, now: float) -> None:
        if self._status is None:
            if now >= self._lease_at:
                self._reason = self._reason or "lease_lost"
            elif now >= self._timeout_at:
                self._end("timed_out")
            elif not self._wire.open:
                self._end("hub_gone")
        elif self._kill_at == float("inf") and now >= self._ended_at + LINGER_SECONDS:
            self._leftovers = len(descendants())
            self._end("left_behind")

    def _end(self, reason: str) -> None:
        """SIGTERM was sent to everything; SIGKILL follows after the grace."""
        if self._kill_at == float("inf"):
            if self._status is None:
                self._reason = reason
            self._kill_at = time.monotonic() + self._grace_seconds
            terminate(self._pid, led=self._status is None)

    def _wait(self, now: float) -> None:
        """Something happened: a child ended, the hub spoke, or a deadline came."""
        if self._killed_at is not None:
            until = now + 0.02
        else:
            linger_until = self._ended_at + LINGER_SECONDS if self._kill_at == float("inf") else float("inf")
            until = min(self._kill_at, self._lease_at, linger_until)
            if self._status is None and self._kill_at == float("inf"):
                until = min(until, self._timeout_at)
        poller = select.poll()
        poller.register(self._wake_read, select.POLLIN)
        if self._wire.open:
            poller.register(self._wire.fd, select.POLLIN)
        patience = None if until == float("inf") else max(1, min(int((until - now) * 1000) + 1, 60_000))
        for fd, _ in poller.poll(patience):
            if fd == self._wake_read:
                os.read(self._wake_read, 4096)
            else:
                self._wire.fill()
                self._obey()

    def _obey(self) -> None:
        for message in self._wire.waiting():
            self.hear(message)

    def _reaped(self) -> bool:
        """Whether nothing of the command is left, as far as the kernel lets this process see."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return self._reaper_of_orphans or not group_exists(self._pid)
            if pid == 0:
                return False
            if pid == self._pid:
                self._status = status
                self._ended_at = time.monotonic()

    def _report(self, *, reaped: bool) -> dict[str, Any]:
        code = number = None
        if self._status is not None:
            if os.WIFSIGNALED(self._status):
                number = os.WTERMSIG(self._status)
            else:
                code = os.WEXITSTATUS(self._status)
        return {"reason": self._reason, "code": code, "signal": number, "reaped": reaped, "leftovers": self._leftovers}


def keep(fd: int) -> None:
    """The command ran under the hub's eyes and is dead, and the hub was told."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    reaper_of_orphans = _LINUX and prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wire = Wire(fd)
    plan = wire.next()
    if plan is None:
        return
    gate, opener = os.pipe()
    failure, reporter = os.pipe()
    keeper = os.getpid()
    pid = os.fork()
    if pid == 0:
        # While the child holds the opener, it would wait at its gate for ever after the keeper's death.
        for other in (opener, failure, fd):
            os.close(other)
        become(plan, keeper, gate, reporter)
    os.close(gate)
    os.close(reporter)
    silence()
    watch = Watch(wire, pid, plan["cgroup"], reaper_of_orphans=reaper_of_orphans)
    try:
        told = os.read(failure, len(_AT_THE_GATE))
        order: dict[str, Any] = {}
        if told == _AT_THE_GATE:
            wire.say(ready=pid)
            order = wire.next() or {}
            watch.hear(order)
            if order.get("go"):
                os.write(opener, b"1")
            told = b""
        os.close(opener)
        told += os.read(failure, 4096)
        if told or not order.get("go"):
            os.waitpid(pid, 0)
            wire.say(failed=json.loads(told) if told else {"step": "gate", "errno": 0})
            wire.part()
            return
        wire.say(running=True)
        wire.say(ended=watch.until_dead())
        wire.part()
    except BaseException:
        kill(pid, plan["cgroup"], led=True)
        raise
    finally:
        leave(plan["cgroup"])


def become(plan: dict[str, Any], keeper: int, gate: int, reporter: int) -> NoReturn:
    """This process is the command, or it wrote the step and errno that stopped it and is gone."""
    step = "session"
    try:
        os.setsid()
        for number in signal.valid_signals():
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
        step = "cgroup"
        if plan["cgroup"]:
            with open(os.path.join(plan["cgroup"], "cgroup.procs"), "w") as file:
                file.write("0")
        os.write(reporter, _AT_THE_GATE)
        step = "gate"
        if os.read(gate, 1) != b"1":
            os._exit(125)
        step = "run_as"
        if plan["user"] is not None:
            os.setgroups(plan["groups"])
            os.setgid(plan["groups"][0])
            os.setuid(plan["user"])
        step = "limits"
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.umask(0o022)
        if _LINUX:
            prctl(_PR_SET_NO_NEW_PRIVS, 1)
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != keeper:
                os._exit(125)
        step = "cwd"
        os.chdir(plan["cwd"])
        step = "command"
        os.execve(plan["executable"], plan["argv"], plan["env"])  # noqa: S606 - no shell is the point
    except Exception as error:
        reason = error.errno if isinstance(error, OSError) else errno.EINVAL
        os.write(reporter, json.dumps({"step": step, "errno": reason}).encode())
    finally:
        os._exit(125)


def prctl(option: int, value: int) -> bool:
    """Whether the kernel did it."""
    return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)


def silence() -> None:
    """The keeper holds none of the command's streams."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)


def descendants() -> list[tuple[int, int]]:
    """(pid, process group) of every living process below this one; empty where there is no /proc."""
    below: dict[int, list[tuple[int, int]]] = {}
    try:
        names = os.listdir("/proc")
    except FileNotFoundError:
        return []
    for name in names:
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent, group = file.read().rpartition(b")")[2].split()[:3]
            except (OSError, ValueError):
                continue
            if state not in (b"Z", b"X"):
                below.setdefault(int(parent), []).append((int(name), int(group)))
    found: list[tuple[int, int]] = []
    parents = [os.getpid()]
    while parents:
        children = below.get(parents.pop(), [])
        found += children
        parents += [pid for pid, _ in children]
    return found


def terminate(leader: int, *, led: bool) -> None:
    """SIGTERM was sent once to the command's group, and to each process that had left it."""
    tree = descendants()
    if led or any(group == leader for _, group in tree):
        send(-leader, signal.SIGTERM)
    for pid, group in tree:
        if group != leader:
            send(pid, signal.SIGTERM)


def kill(leader: int, cgroup: str | None, *, led: bool) -> None:
    """SIGKILL was sent to everything; each is stopped first, so that nothing can fork its way out."""
    if cgroup:
        try:
            with open(os.path.join(cgroup, "cgroup.kill"), "w") as file:
                file.write("1")
        except OSError:
            pass
    if led:
        send(-leader, signal.SIGKILL)
    seen: set[int] = set()
    for _ in range(_SWEEPS):
        fresh = {pid for pid, _ in descendants()} - seen
        if not fresh:
            break
        for pid in fresh:
            send(pid, signal.SIGSTOP)
        seen |= fresh
    for pid in seen:
        send(pid, signal.SIGKILL)


def send(pid: int, number: int) -> None:
    """The signal was sent, unless nobody is there or it may not be."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def group_exists(leader: int) -> bool:
    """Whether the process group still has members."""
    try:
        os.killpg(leader, 0)
    except OSError as error:
        return error.errno != errno.ESRCH
    return True


def leave(cgroup: str | None) -> None:
    """The command's cgroup is gone, unless somebody is still in it."""
    if cgroup:
        try:
            os.rmdir(cgroup)
        except OSError:
            pass


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    for fd in ends:
        os.set_blocking(fd, False)
    return ends


if __name__ == "__main__":
    keep(int(sys.argv[1]))
