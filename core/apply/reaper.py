"""Finding and killing what is left of a run whose hub or keeper died, without ever touching anything else."""

from __future__ import annotations

import os
import signal
import sys
import time
from enum import StrEnum
from pathlib import Path

import psutil

from core.apply import cgroup
from core.apply.identity import MARK, Identity, birth, boot, namespace

PATIENCE_SECONDS = 5.0

_LINUX = sys.platform == "linux"
_RUN = "INTERLOCK_RUN"


class Proof(StrEnum):
    """What is known of a recorded process group. Only `survives` leaves room for doubt."""

    DEAD = "dead"
    """Something of it lived; it was killed, and nothing is left."""
    GONE = "gone"
    """Nothing of it lived any more."""
    NOT_OURS = "not_ours"
    """Its number belongs to another process now, which was left alone; nothing of the group lived any more."""
    SURVIVES = "survives"
    """Something of it lives, or may live where this process cannot look."""


def kill_recorded(identity: Identity, *, patience_seconds: float = PATIENCE_SECONDS) -> Proof:
    """Nothing of the recorded group runs any more, unless the answer is SURVIVES. Blocks up to `patience_seconds`.

    A process is killed only when it is proved to be of that run: by number and start time, by ancestry from such a
    process, by its cgroup, or by the run's random mark in its environment.
    """
    if identity.boot != boot():
        return Proof.GONE
    if identity.namespace != namespace():
        # A hub that was process 1 took its whole namespace with it; anything else may live on out of sight.
        return Proof.GONE if identity.hub_pid == 1 else Proof.SURVIVES
    reused = birth(identity.pid) not in (None, identity.birth)
    until = time.monotonic() + patience_seconds
    killed = False
    while True:
        ours, unproved = _left(identity)
        if identity.cgroup:
            cgroup.kill(identity.cgroup)
        if not ours and not unproved and (identity.cgroup is None or cgroup.remove(identity.cgroup)):
            break
        killed = killed or bool(ours)
        _kill(identity, ours)
        if time.monotonic() >= until or (unproved and not ours):
            return Proof.SURVIVES
        time.sleep(0.02)
    if killed:
        return Proof.DEAD
    return Proof.NOT_OURS if reused else Proof.GONE


def descends_from_run(pid: int) -> bool:
    """Whether a run, a preview or a validation of this machine started the process, at any remove.

    The process, its session's and its group's leader and all their ancestors are looked at: one with a run's mark in
    its environment, or in a run's cgroup, is enough. A process that cannot be looked at counts as one that does.
    """
    try:
        starts = {pid, os.getsid(pid), os.getpgid(pid)}
        psutil.Process(pid)
    except (OSError, psutil.NoSuchProcess):
        return True
    seen: set[int] = set()
    for start in starts:
        at = start
        while at > 0 and at not in seen:
            seen.add(at)
            if _started_by_run(at) or cgroup.belongs_to_run(at):
                return True
            at = _parent(at)
    return False


def _left(identity: Identity) -> tuple[set[int], set[int]]:
    """(processes proved to be of the run, processes in its group of which that cannot be proved)."""
    ours = set(_marked(identity.mark))
    if identity.cgroup:
        ours.update(cgroup.members(identity.cgroup))
    for pid, born in ((identity.keeper_pid, identity.keeper_birth), (identity.pid, identity.birth)):
        if birth(pid) == born:
            ours.add(pid)
            ours.update(_below(pid))
    group = {pid for pid in psutil.pids() if _in_group(pid, identity.pid)}
    taken = birth(identity.pid) not in (None, identity.birth)
    if identity.pid in ours:
        ours |= group
    # While a group or a session has members its number is given to nobody else, so a number that was reused
    # proves that the recorded group had ended before.
    return ours, set() if taken else {pid for pid in group - ours if birth(pid) is not None}


def _kill(identity: Identity, pids: set[int]) -> None:
    """SIGKILL was sent to each, the keeper last: while it lives, orphans fall to it and stay findable."""
    others = [pid for pid in pids if pid != identity.keeper_pid]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in others:
            _send(pid, number)
    if not others:
        for pid in pids:
            _send(pid, signal.SIGKILL)


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _marked(mark: str) -> list[int]:
    """The living processes that have the run's mark in their environment."""
    wanted = f"{MARK}={mark}".encode()
    return [pid for pid in psutil.pids() if wanted in _environment(pid) and birth(pid) is not None]


def _started_by_run(pid: int) -> bool:
    names = (f"{MARK}=".encode(), f"{_RUN}=".encode())
    return any(entry.startswith(names) for entry in _environment(pid))


def _environment(pid: int) -> list[bytes]:
    """The environment that the process was started with; empty when it is gone or may not be read."""
    try:
        if _LINUX:
            return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return [f"{name}={value}".encode() for name, value in psutil.Process(pid).environ().items()]
    except (OSError, psutil.Error):
        return []


def _below(pid: int) -> list[int]:
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [child.pid for child in children if birth(child.pid) is not None]


def _in_group(pid: int, leader: int) -> bool:
    try:
        return leader in (os.getpgid(pid), os.getsid(pid))
    except OSError:
        return False


def _parent(pid: int) -> int:
    try:
        return psutil.Process(pid).ppid()
    except psutil.Error:
        return 0
