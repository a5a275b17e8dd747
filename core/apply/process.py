"""Carries out one command: an argument list, its own process group, bounded in time and output, killed as a whole."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from typing import Any, Self

from core.apply.cgroup import Cgroups, remove
from core.apply.deadline import Deadline
from core.apply.exit import Exit
from core.apply.identity import MARK, Identity, birth, boot, namespace
from core.apply.keeping import Keeper, devnull
from core.apply.output import Capture
from core.apply.pipe import InputPipe, OutputPipe
from core.apply.prepared import Prepared
from core.apply.watch import GRACE_SECONDS, End, NeverRan, Stop, Watch
from core.clock import Clock, SystemClock
from core.errors import Conflict, Invalid, Refusal, Unavailable

DRAIN_SECONDS = 0.5
"""How long output is read after the end when somebody outside the command's tree still holds the pipe."""

_EXPLAINED = {
    errno.ENOENT: "the program or the interpreter that its first line names is missing",
    errno.ENOEXEC: "it is neither a program nor a script that begins with #!",
    errno.E2BIG: "its arguments and environment are too long",
}


async def run(
    command: Prepared,
    *,
    on_started: Callable[[Identity], Awaitable[None]],
    stop: Stop,
    on_output: Callable[[str], None] | None = None,
    deadline: Deadline | None = None,
    cgroups: Cgroups | None = None,
    clock: Clock | None = None,
    grace_seconds: float = GRACE_SECONDS,
) -> Exit:
    """The command has ended, and nothing of it is left unless the Exit says so.

    The process exists but waits at a gate until `on_started` has returned, so what that wrote down is durable before
    anything runs. Every Refusal from here (`command_not_started`, `stopped`, `lease_lost`), and whatever `on_started`
    raises, means that nothing ran. Cancelling kills the command before the cancellation goes on. `on_output` is called
    on the event loop with text as it comes, all of it; it must not block.
    """
    clock = clock or SystemClock()
    deadline = deadline or Deadline()
    _still_wanted(stop, deadline)
    show = _contained(on_output) if on_output else None
    capture = Capture(limit=command.output_limit, secrets=command.redact, show=show)
    mark = secrets.token_hex(16)
    with _Streams(command, capture) as streams, _cgroup(cgroups, mark) as group:
        async with AsyncExitStack() as kept:
            with _or_refused():
                keeper = await kept.enter_async_context(Keeper(mark=mark, stdin=streams.stdin, stdout=streams.stdout))
            streams.hand_over()
            identity = await _at_the_gate(keeper, command, mark, group)
            await on_started(identity)
            _still_wanted(stop, deadline)
            started_at = clock.wall_us()
            watch = Watch(
                keeper,
                identity,
                stop=stop,
                deadline=deadline,
                timeout_seconds=command.timeout_seconds,
                grace_seconds=grace_seconds,
            )
            end = await watch.until_dead()
            if isinstance(end, NeverRan):
                raise _not_started(command, end)
            await streams.drain()
            capture.end()
            return _exit(end, capture, started_at=started_at, ended_at=max(started_at, clock.wall_us()))


class _Streams:
    """The three streams of a command; all our ends are closed when the context is left."""

    def __init__(self, command: Prepared, capture: Capture) -> None:
        with _or_refused(), ExitStack() as opened:
            self._output = OutputPipe(capture.feed)
            opened.callback(self._output.close)
            self._input = InputPipe(command.stdin) if command.stdin is not None else None
            if self._input:
                opened.callback(self._input.close)
            nothing = devnull()
            opened.callback(os.close, nothing)
            self._opened = opened.pop_all()
        self.stdin = self._input.read if self._input else nothing
        self.stdout = self._output.write

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def hand_over(self) -> None:
        """Only the keeper's side holds the command's ends."""
        self._output.hand_over()
        if self._input:
            self._input.hand_over()

    async def drain(self) -> None:
        """What the command printed was read."""
        await self._output.drain(DRAIN_SECONDS)


@contextmanager
def _cgroup(cgroups: Cgroups | None, mark: str) -> Iterator[str | None]:
    """A cgroup for the run where there are any; it is gone afterwards if nobody is left in it."""
    with _or_refused():
        group = cgroups.create(mark) if cgroups else None
    try:
        yield group
    finally:
        if group:
            remove(group, patience_seconds=0)


@contextmanager
def _or_refused() -> Iterator[None]:
    """What the machine has too little of (memory, processes, descriptors) is a Refusal: nothing ran."""
    try:
        yield
    except OSError as error:
        raise Unavailable("command_not_started", f"the machine cannot start a command now: {error.strerror}") from error


def _contained(show: Callable[[str], None]) -> Callable[[str], None]:
    """`show`, whose failure is reported to the event loop and changes nothing about the run."""
    loop = asyncio.get_running_loop()

    def contained(text: str) -> None:
        try:
            show(text)
        except Exception as error:
            loop.call_exception_handler({"message": "whoever watches a command's output failed", "exception": error})

    return contained


async def _at_the_gate(keeper: Keeper, command: Prepared, mark: str, group: str | None) -> Identity:
    """The command's process exists, is identified, and waits."""
    await keeper.say(
        {
            "executable": str(command.executable),
            "argv": command.argv,
            "env": {**command.env, MARK: mark},
            "cwd": str(command.cwd),
            "user": command.account.uid if command.account else None,
            "groups": command.account.groups if command.account else None,
            "cgroup": group,
        }
    )
    message: dict[str, Any] = await keeper.hear() or {}
    if "failed" in message:
        raise _not_started(command, NeverRan(**message["failed"]))
    pid = message.get("ready")
    born, keeper_born = birth(pid) if pid else None, birth(keeper.pid)
    if pid is None or born is None or keeper_born is None:
        raise Unavailable("command_not_started", "the process that would have kept the command died before it began")
    return Identity(
        mark=mark,
        pid=pid,
        birth=born,
        keeper_pid=keeper.pid,
        keeper_birth=keeper_born,
        hub_pid=os.getpid(),
        boot=boot(),
        namespace=namespace(),
        cgroup=group,
    )


def _still_wanted(stop: Stop, deadline: Deadline) -> None:
    if stop.is_set():
        raise Conflict("stopped", "the run was stopped before its command began")
    if deadline.at is not None and time.monotonic() >= deadline.at:
        raise Conflict("lease_lost", "the run's lease ended before its command began")


def _not_started(command: Prepared, never: NeverRan) -> Refusal:
    name = command.argv[0]
    why = _EXPLAINED.get(never.errno) if never.step == "command" else None
    why = why or (os.strerror(never.errno) if never.errno else "it was given up")
    return Invalid(
        "command_not_started",
        f"{name!r} could not be started ({never.step}): {why}",
        step=never.step,
        errno=errno.errorcode.get(never.errno, ""),
    )


def _exit(end: End, capture: Capture, *, started_at: int, ended_at: int) -> Exit:
    return Exit(
        status=end.status,
        exit_code=end.code,
        signal=end.signal,
        wholly_reaped=end.reaped,
        leftovers=end.leftovers,
        output=capture.text(),
        output_sha256=capture.sha256,
        truncated_bytes=capture.truncated_bytes,
        started_at=started_at,
        ended_at=ended_at,
    )
