"""A cgroup of its own for each run, where the kernel lets the hub make one (cgroup v2, `cgroup.kill`, Linux 5.14)."""

from __future__ import annotations

import os
import time
from pathlib import Path

_PREFIX = "interlock."


class Cgroups:
    """Cgroups below one that was delegated to the hub."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent

    def create(self, mark: str) -> str:
        """A new empty cgroup exists for `mark`; returns its folder."""
        folder = self._parent / f"{_PREFIX}{mark}"
        folder.mkdir()
        return str(folder)


def probe() -> Cgroups | None:
    """The cgroup of this process, when runs can be put below it; None elsewhere, and always without cgroup v2.

    The machine's own root is never used: nobody delegated it, and it has no `cgroup.kill`.
    """
    parent = _own()
    if parent is None or not (parent / "cgroup.kill").exists() or not os.access(parent / "cgroup.procs", os.W_OK):
        return None
    trial = parent / f"{_PREFIX}probe.{os.getpid()}"
    try:
        trial.mkdir()
        usable = (trial / "cgroup.kill").exists()
        trial.rmdir()
    except OSError:
        return None
    return Cgroups(parent) if usable else None


def members(folder: str) -> list[int]:
    """The processes in the cgroup; none when it is gone."""
    try:
        return [int(line) for line in Path(folder, "cgroup.procs").read_text().split()]
    except OSError:
        return []


def kill(folder: str) -> None:
    """SIGKILL was sent to everything in the cgroup at once."""
    try:
        Path(folder, "cgroup.kill").write_text("1")
    except OSError:
        return


def remove(folder: str, *, patience_seconds: float = 0.5) -> bool:
    """Whether the cgroup is gone, which only an empty one can be."""
    until = time.monotonic() + patience_seconds
    while True:
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            return True
        except OSError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.01)
        else:
            return True


def belongs_to_run(pid: int) -> bool:
    """Whether the process is in a cgroup that was made for a run."""
    try:
        return f"/{_PREFIX}" in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False


def _own() -> Path | None:
    """The folder of this process's cgroup in the version 2 hierarchy."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    own = next((line[3:] for line in lines if line.startswith("0::")), None)
    for mount in mounts:
        before, _, after = mount.partition(" - ")
        if own is not None and after.startswith("cgroup2 "):
            root, point = before.split()[3:5]
            inside = own if root == "/" else own.removeprefix(root)
            return Path(point, inside.lstrip("/"))
    return None
