"""The control socket as the hub serves it, and the protocol that asks the kernel who is at its other end."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hub.http.address import POINTER, SOCKET
from hub.http.peer import is_unix, peer_of

_LONGEST = 100
"""Bytes that a socket's address may have on every system."""


@contextmanager
def control_socket(data: Path) -> Iterator[socket.socket]:
    """A listening control socket for as long as the context lasts; a stale one is replaced.

    Whoever calls holds the data directory's lock, so a socket that is there belongs to nobody any more.
    """
    folder: str | None = None
    (data / POINTER).unlink(missing_ok=True)
    path = data.absolute() / SOCKET
    if len(os.fsencode(path)) > _LONGEST:
        folder = tempfile.mkdtemp(prefix="interlock-")
        path = Path(folder) / SOCKET
        (data / POINTER).write_text(f"{path}\n")
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o177)
        try:
            listening.bind(str(path))
        finally:
            os.umask(before)
        path.chmod(0o600)
        listening.listen(128)
        listening.setblocking(False)
        yield listening
    finally:
        listening.close()
        path.unlink(missing_ok=True)
        if folder is not None:
            (data / POINTER).unlink(missing_ok=True)
            with suppress(OSError):
                os.rmdir(folder)


class PeerProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose scope says, on a Unix socket, which process is at the other end."""

    _peer: Any = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is None or not is_unix(connection.family):
            return
        with socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
            try:
                self._peer = peer_of(duplicate)
            except OSError:
                transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._peer is not None:
            self.scope["state"]["peer"] = self._peer
