"""The hub's end of a keeper: starts it, talks with it, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from core.apply.fingerprint import PATH
from core.apply.identity import MARK

_SCRIPT = Path(__file__).with_name("keeper.py")
_LINE_LIMIT = 1 << 20
LEAVE_SECONDS = 4.5
"""A keeper whose socket closed has killed its command and is gone within that time, or it is stuck."""


class Keeper:
    """One keeper process. Leaving the context closes the socket, at which the keeper kills whatever still runs."""

    def __init__(self, *, mark: str, stdin: int, stdout: int) -> None:
        self._mark = mark
        self._stdin = stdin
        self._stdout = stdout

    async def __aenter__(self) -> Self:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._reader, self._writer = await asyncio.open_unix_connection(sock=ours, limit=_LINE_LIMIT)
            except BaseException:
                ours.close()
                raise
            try:
                self._process = self._spawn(theirs.fileno())
            except BaseException:
                self._writer.close()
                raise
        self.pid = self._process.pid
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.shield(self._end())

    async def leave(self) -> None:
        """The socket is closed, and the keeper has killed its command and ended, unless it is stuck."""
        self._writer.close()
        until = time.monotonic() + LEAVE_SECONDS
        # Not every event loop has an event for the end of a child that it did not start itself.
        while self._process.poll() is None and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    async def say(self, message: Mapping[str, Any]) -> None:
        """The keeper was sent the message, unless it is dead, which `hear` tells."""
        try:
            self._writer.write(json.dumps(message).encode() + b"\n")
            await self._writer.drain()
        except ConnectionError:
            return

    async def hear(self) -> dict[str, Any] | None:
        """The next message; None when the keeper is dead."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        if not line.endswith(b"\n"):
            return None
        message: dict[str, Any] = json.loads(line)
        return message

    def _spawn(self, wire: int) -> subprocess.Popen[bytes]:
        """The keeper was started, knowing nothing yet: what it shall run comes through the socket, not in arguments."""
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SCRIPT), str(wire)],
            stdin=self._stdin,
            stdout=self._stdout,
            stderr=self._stdout,
            env={"PATH": PATH, "LC_ALL": "C.UTF-8", MARK: self._mark},
            cwd="/",
            start_new_session=True,
            pass_fds=(wire,),
        )

    async def _end(self) -> None:
        """The keeper ended and was reaped."""
        await self.leave()
        while self._process.poll() is None:
            self._process.kill()
            await asyncio.sleep(0.005)


def devnull() -> int:
    """A new descriptor that is always at its end."""
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
