"""Real commands to run, and a way to wait for what they print."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.apply.identity import Identity, birth
from core.apply.prepared import Prepared


class Onlooker:
    """Sees a command start and print."""

    def __init__(self) -> None:
        self.identities: list[Identity] = []
        self.text = ""
        self._changed = asyncio.Event()

    async def on_started(self, identity: Identity) -> None:
        self.identities.append(identity)

    def on_output(self, text: str) -> None:
        self.text += text
        self._changed.set()

    async def line(self, prefix: str) -> str:
        """The rest of the first whole line that begins with `prefix`, as soon as it was printed."""
        async with asyncio.timeout(20):
            while True:
                for line in self.text.splitlines(keepends=True):
                    if line.startswith(prefix) and line.endswith("\n"):
                        return line.removeprefix(prefix).strip()
                self._changed.clear()
                await self._changed.wait()

    async def pid(self, prefix: str) -> int:
        return int(await self.line(prefix))


@pytest.fixture
def onlooker() -> Onlooker:
    return Onlooker()


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., Prepared]:
    """A command that runs Python code."""

    def prepared(code: str, *arguments: str, **options: object) -> Prepared:
        defaults: dict[str, object] = {
            "executable": Path(sys.executable),
            "argv": ("python", "-I", "-S", "-c", code, *arguments),
            "cwd": tmp_path,
            "timeout_seconds": 30.0,
            "env": {"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        }
        return Prepared(**(defaults | options))  # type: ignore[arg-type]

    return prepared


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Whether a process runs; a zombie does not."""
    return lambda pid: birth(pid) is not None
