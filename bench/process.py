"""A real hub in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

INTERLOCK = (sys.executable, "-m", "config.cli.main")


def environ_of(config: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of everything that belongs to the hub of that configuration; its data is kept beside it."""
    root = config.parent
    mine = {"INTERLOCK_CONFIG": str(config), "INTERLOCK_DATA": str(root / "data"), "INTERLOCK_PORT": "0"}
    return {**os.environ, **mine, "XDG_STATE_HOME": str(root / "state"), **(more or {})}


@contextmanager
def hub_process(environ: Mapping[str, str]) -> Iterator[str]:
    """The address of an `interlock up` that takes connections; it ends with the block."""
    hub = subprocess.Popen(
        [*INTERLOCK, "up"], env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert hub.stdout is not None
        yield str(json.loads(hub.stdout.readline())["url"])
    finally:
        hub.terminate()
        hub.communicate(timeout=40)
