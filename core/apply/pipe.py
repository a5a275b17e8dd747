"""The hub's ends of a command's streams, read and written without blocking the event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

_CHUNK = 65_536
_LAST_READS = 64


class OutputPipe:
    """The reading end of stdout and stderr together, in the order in which they were written."""

    def __init__(self, on_data: Callable[[bytes], None]) -> None:
        self._on_data = on_data
        self._read, self.write = os.pipe()
        os.set_blocking(self._read, False)
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._read, self._readable)

    def hand_over(self) -> None:
        """Only the command holds the writing end."""
        if self.write >= 0:
            os.close(self.write)
            self.write = -1

    async def drain(self, seconds: float) -> None:
        """What was written is read; whoever still holds the writing end is not waited for longer than `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            for _ in range(_LAST_READS):
                if not self._readable():
                    break

    def close(self) -> None:
        """Both ends are closed."""
        self.hand_over()
        if self._read >= 0:
            asyncio.get_running_loop().remove_reader(self._read)
            os.close(self._read)
            self._read = -1

    def _readable(self) -> bool:
        """Whether there was something to read."""
        try:
            data = os.read(self._read, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            asyncio.get_running_loop().remove_reader(self._read)
            self._ended.set()
            return False
        self._on_data(data)
        return True


class InputPipe:
    """The writing end of stdin, fed with `data` and then closed; a command that does not read harms nobody."""

    def __init__(self, data: bytes) -> None:
        self._left = memoryview(data)
        self.read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        asyncio.get_running_loop().add_writer(self._write, self._writable)

    def hand_over(self) -> None:
        """Only the command holds the reading end."""
        if self.read >= 0:
            os.close(self.read)
            self.read = -1

    def close(self) -> None:
        """Both ends are closed."""
        self.hand_over()
        self._finish()

    def _writable(self) -> None:
        try:
            self._left = self._left[os.write(self._write, self._left[:_CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._left = self._left[:0]
        if not self._left:
            self._finish()

    def _finish(self) -> None:
        if self._write >= 0:
            asyncio.get_running_loop().remove_writer(self._write)
            os.close(self._write)
            self._write = -1
