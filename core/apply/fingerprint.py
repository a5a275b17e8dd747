"""What the files are that a command consists of: where each name leads, and the SHA-256 of what is there."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.errors import Forbidden, Invalid, NotFound, TooLarge

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where a bare name is looked for, and the PATH of every command; the hub's own PATH plays no part."""

MOST_FILES = 10_000
MOST_BYTES = 1 << 30
_CHUNK = 1 << 20


async def fingerprint(root: Path, paths: Iterable[str] = (), *, executables: Iterable[str] = ()) -> dict[str, str]:
    """Name as written -> hex SHA-256, hashed off the event loop; a bare executable stands under its resolved path.

    A directory's hash covers the name, kind, executable bit and content of everything below it, in sorted order.
    Raises NotFound `file_missing`, Forbidden `outside_root`, Invalid `not_a_file` and `not_executable`, TooLarge
    `files_too_large`.
    """
    return await asyncio.to_thread(fingerprint_now, root, tuple(paths), executables=tuple(executables))


def fingerprint_now(root: Path, paths: Iterable[str] = (), *, executables: Iterable[str] = ()) -> dict[str, str]:
    """The same as `fingerprint`, on the caller's thread."""
    budget = _Budget()
    found: dict[str, str] = {}
    for name in executables:
        path = resolve_executable(root, name)
        found[name if "/" in name else str(path)] = _hash_file(path, name, budget)
    for name in paths:
        found[name] = _hash_any(root, resolve_file(root, name), name, budget)
    return found


def resolve_executable(root: Path, name: str) -> Path:
    """The absolute path that runs for `name`: below `root` when relative, on the fixed PATH when bare.

    A relative name may not leave `root`, not even through links. Raises as `fingerprint` does.
    """
    if not name or "\0" in name:
        raise Invalid("file_missing", "a command needs the name of a program", path=name)
    if "/" not in name:
        path = _on_path(name)
    elif name.startswith("/"):
        path = Path(name)
    else:
        path = _below(root, name)
    if not path.exists():
        raise NotFound("file_missing", f"there is no program {name!r}", path=name)
    if not path.is_file():
        raise Invalid("not_a_file", f"{name!r} is not a file that could be run", path=name)
    if not os.access(path, os.X_OK):
        raise Invalid("not_executable", f"{name!r} may not be run; make it executable with chmod +x", path=name)
    return path


def resolve_file(root: Path, name: str) -> Path:
    """The absolute path of a configured file or folder; a relative one may not leave `root`, not even through links."""
    if not name or "\0" in name:
        raise Invalid("file_missing", "a file needs a name", path=name)
    path = Path(name) if name.startswith("/") else _below(root, name)
    if not path.exists():
        raise NotFound("file_missing", f"there is no file {name!r}", path=name)
    return path


def _on_path(name: str) -> Path:
    for folder in PATH.split(":"):
        path = Path(folder, name)
        if path.is_file() and os.access(path, os.X_OK):
            return path
    raise NotFound("file_missing", f"there is no program {name!r} on the path {PATH}", path=name)


def _below(root: Path, name: str) -> Path:
    """The real path of `name`, which lies below the real `root`."""
    real_root = root.resolve()
    try:
        path = (real_root / name).resolve()
    except (RuntimeError, OSError):
        raise NotFound("file_missing", f"{name!r} leads nowhere: its links form a circle", path=name) from None
    if not path.is_relative_to(real_root):
        raise Forbidden("outside_root", f"{name!r} leads out of the configuration's folder", path=name)
    return path


class _Budget:
    """How much may still be hashed in one fingerprint."""

    def __init__(self) -> None:
        self._files = MOST_FILES
        self._bytes = MOST_BYTES

    def take(self, *, files: int = 0, size: int = 0) -> None:
        self._files -= files
        self._bytes -= size
        if self._files < 0 or self._bytes < 0:
            raise TooLarge(
                "files_too_large",
                f"the files of an action may be {MOST_FILES} at most, {MOST_BYTES >> 20} MiB together",
            )


def _hash_any(root: Path, path: Path, name: str, budget: _Budget) -> str:
    return _hash_folder(root, path, name, budget) if path.is_dir() else _hash_file(path, name, budget)


def _hash_file(path: Path, name: str, budget: _Budget) -> str:
    """Hex SHA-256 of a regular file; anything else is refused without being waited for."""
    budget.take(files=1)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFound("file_missing", f"there is no file {name!r}", path=name) from None
    except OSError as error:
        raise Invalid("not_a_file", f"{name!r} cannot be read: {error.strerror}", path=name) from None
    with open(fd, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Invalid("not_a_file", f"{name!r} is not a regular file", path=name)
        digest = hashlib.sha256()
        while data := file.read(_CHUNK):
            budget.take(size=len(data))
            digest.update(data)
        return digest.hexdigest()


def _hash_folder(root: Path, folder: Path, name: str, budget: _Budget) -> str:
    digest = hashlib.sha256()
    for line in _listing(root, folder, name, budget, above=(folder.resolve(),)):
        digest.update(line)
    return digest.hexdigest()


def _listing(root: Path, folder: Path, name: str, budget: _Budget, above: tuple[Path, ...]) -> Iterator[bytes]:
    """One line for each thing below `folder`, sorted: kind, executable bit, name, and its hash or target."""
    for child in _children(folder, name):
        budget.take(files=1)
        shown = f"{name.rstrip('/')}/{child.name}"
        label = os.fsencode(child.name)
        if child.is_symlink():
            yield b"link\0" + label + b"\0" + os.fsencode(os.readlink(child)) + b"\n"
            target = _link_target(root, child, shown)
            if target in above:
                continue
            child = target
        if child.is_dir():
            yield b"folder\0" + label + b"\n"
            yield from _listing(root, child, shown, budget, (*above, child.resolve()))
            yield b"end\n"
        else:
            mode = b"x" if os.access(child, os.X_OK) else b"-"
            yield b"file\0" + mode + b"\0" + label + b"\0" + _hash_file(child, shown, budget).encode() + b"\n"


def _children(folder: Path, name: str) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda path: os.fsencode(path.name))
    except OSError as error:
        raise Invalid("not_a_file", f"{name!r} cannot be read: {error.strerror}", path=name) from None


def _link_target(root: Path, link: Path, shown: str) -> Path:
    """Where a link within a folder leads; it may not lead out of `root`."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        raise NotFound("file_missing", f"{shown!r} is a link that leads nowhere", path=shown) from None
    if not target.is_relative_to(root.resolve()):
        raise Forbidden("outside_root", f"{shown!r} is a link out of the configuration's folder", path=shown)
    return target
