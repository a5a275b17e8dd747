"""Which process group a run is, written down so that a later process can find exactly that one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import psutil

MARK = "INTERLOCK_MARK"
"""Environment variable with a value of its own for each process group; inherited by whatever it starts."""

_LINUX = sys.platform == "linux"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One process group, its keeper and where they live; JSON-serialisable."""

    mark: str
    """Random, in the environment of the keeper and of everything that the command starts."""
    pid: int
    """The command: leader of its own session and process group."""
    birth: str
    """When `pid` was started, as `birth` tells it; another process under the same number has another."""
    keeper_pid: int
    keeper_birth: str
    hub_pid: int
    boot: str
    """The boot of the machine; nothing survives a reboot."""
    namespace: str
    """The pid namespace in which the numbers mean something; empty where there are none."""
    cgroup: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Identity:
        """The identity that `to_json` wrote."""
        return cls(**data)


def birth(pid: int) -> str | None:
    """When the living process `pid` started, in a form that only compares; None when none lives under that number.

    On Linux ticks since boot, which no step of the wall clock changes. A zombie does not live.
    """
    if _LINUX:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in (b"Z", b"X") else fields[19].decode()
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.NoSuchProcess:
        return None


def boot() -> str:
    """The machine's present boot."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except FileNotFoundError:
        return repr(round(psutil.boot_time()))


def namespace() -> str:
    """The pid namespace of this process; empty where there are none."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
