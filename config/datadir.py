"""The data directory: private, held by one process at a time, and the home of the hub's own keys.

hub.db            the database, with its -wal and -shm files
checkpoints.log   every signed checkpoint
control.sock      where the commands of this machine reach the running hub
lock              held by the process that may write; says which
keys/             checkpoint.key, sealing.key, session.key, press.key
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import Conflict, Forbidden, StoreError

KEY_BYTES = 32
KEYS = ("checkpoint", "sealing", "session", "press")


def prepare(data: Path) -> None:
    """The directory exists, and nobody else may enter it. Raises Forbidden (`exposed_data`), StoreError."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = data.stat()
    except OSError as error:
        raise StoreError(f"the data directory {data} cannot be made: {error.strerror}") from None
    if not stat.S_ISDIR(status.st_mode):
        raise StoreError(f"the data directory {data} is no directory")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise Forbidden("exposed_data", f"others can look into {data}; run: chmod 700 {data}")


@contextmanager
def hold(data: Path) -> Iterator[None]:
    """While inside, this process alone writes below `data`. Raises Conflict (`data_in_use`), naming who holds it."""
    prepare(data)
    fd = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
            raise Conflict(
                "data_in_use",
                f"{data} is in use by the process {holder}; one hub at a time writes there. Stop it, or use another --data",
                pid=holder,
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def is_held(data: Path) -> bool:
    """Whether a process writes there now."""
    try:
        fd = os.open(data / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def key_file(data: Path, name: str) -> Path:
    """Where the key of that name is."""
    return data / "keys" / f"{name}.key"


def read_key(data: Path, name: str) -> bytes | None:
    """The content of a key's file, or None when there is none. Raises Forbidden (`exposed_key`)."""
    path = key_file(data, name)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"the key {path} cannot be read: {error.strerror}") from None
    with os.fdopen(fd, "rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise Forbidden("exposed_key", f"others can read {path}; run: chmod 600 {path}, and think of replacing it")
        return file.read(4096)


def make_key(data: Path, name: str, content: bytes) -> bytes:
    """The key's file holds `content`, durable, readable by its owner alone. An existing file is left as it is."""
    path = key_file(data, name)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass  # somebody made it first; theirs counts
    fresh.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    return read_key(data, name) or content


def random_key(data: Path, name: str) -> bytes:
    """The 32 bytes of a secret key, made when missing. Raises StoreError for a file of another length."""
    key = read_key(data, name)
    if key is None:
        key = make_key(data, name, os.urandom(KEY_BYTES))
    if len(key) != KEY_BYTES:
        raise StoreError(f"{key_file(data, name)} must hold {KEY_BYTES} bytes; restore it from a backup with keys")
    return key
