"""The guardian: a small process that ends a command when nobody can say any more that it may go on.

It is run as a script (`python -I -S guardian.py`) and imports nothing of Interlock. On its stdin it is told, one word
and one number a line, `group PGID` and `until SECONDS`, by the clock that also runs while the machine sleeps; and at
the end `done 0`. It kills the group when that time passes or its stdin closes without `done`: the process that holds
the lease was killed, stopped, or swapped out.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

GRACE_SECONDS = 1.0
_LONGEST_SLEEP_SECONDS = 1.0

_BOOT_TIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def now() -> float:
    """The clock of `hub.client.clock`."""
    return time.monotonic() if _BOOT_TIME is None else time.clock_gettime(_BOOT_TIME)


def guard(stdin: int) -> None:
    """The command has ended, or its group is killed."""
    group, until, buffer = 0, float("inf"), b""
    while (left := until - now()) > 0:
        if not select.select([stdin], [], [], min(left, _LONGEST_SLEEP_SECONDS))[0]:
            continue
        data = os.read(stdin, 4096)
        if not data:
            break
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            word, _, number = line.partition(b" ")
            if word == b"done":
                return
            if word == b"group":
                group = int(number)
            else:
                until = float(number)
    if group:
        kill(group)


def kill(group: int) -> None:
    """The group has had SIGTERM, and SIGKILL a grace later."""
    for sign, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, 0.0)):
        try:
            os.killpg(group, sign)
        except (ProcessLookupError, PermissionError):
            return
        time.sleep(seconds)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a terminal's interrupt is for the command, which this outlives
    guard(sys.stdin.fileno())
