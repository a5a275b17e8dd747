"""A command that lives no longer than its lease.

The client's threads renew the lease and watch its deadline. When it is lost the command's whole process group is
killed, by this process, or by the guardian when this process is dead, stopped or swapped out.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from config.cli import guardian as guardian_script
from config.cli.exits import Exit, Failure
from hub.client.lease import MARGIN, Lease

_MOST_GRACE_SECONDS = 2.0
_LOOK_SECONDS = 0.1
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def hold_around(command: Sequence[str], lease: Lease, environ: Mapping[str, str]) -> int:
    """The command's exit status, 128 + n for one that signal n ended; nothing of it goes on once the lease is lost.

    Raises Failure (`no_command`, exit 2), and (`lease_lost`, exit 6) when the lease ended first.
    """
    with _forwarding() as forward, _guarded() as tell:
        try:
            process = subprocess.Popen(list(command), env={**environ, **lease.environ}, start_new_session=True)
        except OSError as error:
            raise Failure("no_command", f"{command[0]} cannot be run: {error.strerror}", Exit.USAGE) from None
        forward.to(process.pid)
        status = _watch(process, lease, tell)
    if lease.why is not None:
        raise Failure("lease_lost", f"{lease.error().message}; the command was killed", Exit.FAILED)
    return status if status >= 0 else 128 - status


def grace_of(lease: Lease) -> float:
    """How long the command may take to end by itself: less than what is left of a lease at its local deadline."""
    return min(_MOST_GRACE_SECONDS, lease.ttl_seconds * MARGIN / 2)


class _Tell:
    """What the guardian is told. Raises Failure (`guardian_gone`, exit 6): without one the command has to end."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def __call__(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Failure(
                "guardian_gone", "what watches the command was killed; so was the command", Exit.FAILED
            ) from None


@contextmanager
def _guarded() -> Iterator[_Tell]:
    """A guardian watches until the end of the body, however that comes."""
    command = [sys.executable, "-I", "-S", str(Path(guardian_script.__file__).resolve())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
        tell = _Tell(process)
        try:
            yield tell
            tell("done 0")
        except BaseException:
            process.kill()  # the command has ended, or was never begun
            raise
        finally:
            assert process.stdin is not None
            process.stdin.close()


def _watch(process: subprocess.Popen[bytes], lease: Lease, tell: _Tell) -> int:
    """How the command ended. It was killed if the lease was lost, or the guardian."""
    told = lease.deadline
    try:
        tell(f"until {told + grace_of(lease)}\ngroup {process.pid}")  # both at once, or neither
        while True:
            if lease.deadline != told:
                told = lease.deadline
                tell(f"until {told + grace_of(lease)}")
            try:
                return process.wait(timeout=_LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if lease.why is not None:
                    return _end(process, grace_of(lease))
    except BaseException:
        _end(process, grace_of(lease))
        raise


def _end(process: subprocess.Popen[bytes], grace_seconds: float) -> int:
    """The group has had SIGTERM, and SIGKILL a grace later; how its leader ended."""
    until = time.monotonic() + grace_seconds
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(timeout=max(0.0, until - time.monotonic()))
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
    return process.wait()


class _Forward:
    """Where signals go: to a process group, once there is one."""

    def __init__(self) -> None:
        self._group: int | None = None
        self._early: list[int] = []

    def __call__(self, number: int, frame: object) -> None:
        if self._group is None:
            self._early.append(number)
            return
        try:
            os.killpg(self._group, number)
        except ProcessLookupError:
            pass

    def to(self, group: int) -> None:
        """Signals reach the group from now on, and those that came before reach it now."""
        self._group = group
        for number in self._early:
            self(number, None)


@contextmanager
def _forwarding() -> Iterator[_Forward]:
    """Interrupts reach the command, which decides how it ends."""
    forward = _Forward()
    with _handling(_FORWARDED, forward):
        yield forward


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the body as an interrupt does, so that it can tidy up; the exit code is 128 + n."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    with _handling((signal.SIGTERM, signal.SIGHUP), leave):
        yield


@contextmanager
def _handling(numbers: Sequence[int], handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    former = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, each in former.items():
            signal.signal(number, each)
