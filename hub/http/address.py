"""Where the control socket is: `control.sock` in the data directory, or where `control.path` there says.

A Unix socket's address is short (104 bytes on macOS), so the socket of a data directory with a long name lies in a
private directory for temporary files. Server and client both ask here.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

SOCKET = "control.sock"
POINTER = "control.path"


def socket_path(data: Path) -> Path:
    """The control socket of the hub over that data directory, whether or not one runs."""
    with suppress(OSError):
        return Path((data / POINTER).read_text().strip())
    return data / SOCKET
