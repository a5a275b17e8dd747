"""A command that lives no longer than its lease.

Heartbeats go out on a thread of their own. The deadline is local and monotonic: the time at which the last
answered heartbeat was sent, plus the ttl, less a tenth. When it passes, or the hub says that the lease is lost,
the command's whole process group is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from config.cli.exits import Exit, Failure
from config.cli.output import progress

if TYPE_CHECKING:
    from config.cli.client import Client

_MARGIN = 0.1
_GRACE_SECONDS = 2.0
_LOST = frozenset({"lease_lost", "not_found", "stale_token", "wrong_token"})


class Heart:
    """Keeps one lease alive until stopped; `lost` is set when that is over."""

    def __init__(self, lease: Mapping[str, Any], connect: Callable[[], Client]) -> None:
        self._lease = lease
        self._connect = connect
        self._ttl = float(lease["ttl_seconds"])
        self._stop = threading.Event()
        self._deadline = time.monotonic() + self._ttl * (1 - _MARGIN)
        self.lost: str | None = None
        self._thread = threading.Thread(target=self._beat, name="lease-heart", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No more heartbeats are sent once this returns."""
        self._stop.set()
        self._thread.join(timeout=5)

    @property
    def over(self) -> bool:
        """Whether work under this lease must end now."""
        if self.lost is None and time.monotonic() >= self._deadline:
            self.lost = "the hub did not answer in time"
        return self.lost is not None

    def _beat(self) -> None:
        path = f"/v1/leases/{self._lease['lock_id']}/heartbeat"
        with self._connect() as client:
            while not self._stop.wait(self._ttl / 3):
                sent = time.monotonic()
                try:
                    client.post(path, {"token": self._lease["token"]})
                except Failure as failure:
                    if failure.exit is not Exit.UNREACHABLE or failure.code in _LOST:
                        self.lost = failure.message
                        return
                else:
                    self._deadline = sent + self._ttl * (1 - _MARGIN)


def hold_around(
    command: Sequence[str],
    lease: Mapping[str, Any],
    *,
    client: Client,
    heart: Callable[[], Client],
    environ: Mapping[str, str],
) -> int:
    """The command's exit status (128 + signal for a killed one); the lease is given back.

    Raises Failure (`lease_lost`, exit 6) when the lease ended first, and (`no_command`, exit 2).
    """
    beating = Heart(lease, heart)
    environment = {**environ, "INTERLOCK_FENCE": str(lease["token"]), "INTERLOCK_LEASE": str(lease["lock_id"])}
    try:
        process = subprocess.Popen(list(command), env=environment, start_new_session=True)
    except OSError as error:
        _give_back(client, lease)
        raise Failure("no_command", f"{command[0]} cannot be run: {error.strerror}", Exit.USAGE) from None
    beating.start()
    restore = _forward_signals(process)
    try:
        status = _watch(process, beating)
    finally:
        restore()
        beating.stop()
    if beating.lost is not None:
        raise Failure(
            "lease_lost",
            f"the lease on {', '.join(lease['resources'])} was lost ({beating.lost}); the command was killed",
            Exit.FAILED,
        )
    _give_back(client, lease)
    return status if status >= 0 else 128 - status


def _watch(process: subprocess.Popen[bytes], heart: Heart) -> int:
    while True:
        try:
            return process.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            if heart.over:
                _end(process)
                return process.returncode


def _end(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    try:  # whatever the leader left behind in its group
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def _forward_signals(process: subprocess.Popen[bytes]) -> Callable[[], None]:
    """Interrupts reach the command, which decides how it ends; what undoes that."""

    def forward(number: int, frame: object) -> None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass

    former = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)

    return restore


def _give_back(client: Client, lease: Mapping[str, Any]) -> None:
    try:
        client.post(f"/v1/leases/{lease['lock_id']}/release", {"token": lease["token"]})
    except Failure as failure:
        progress(f"the lease was not given back ({failure.message}); it ends by itself")
