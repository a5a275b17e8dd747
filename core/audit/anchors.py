"""Anchors: files outside the data directory that keep every checkpoint, so that the log cannot be rewritten quietly.

An anchor is a regular file, mode 0600 when we create it, to which notes are appended, each followed by an empty
line. After each append the file is synced and read back. While the process lives, a file that was replaced or
cut since the last append is refused. Nothing here raises into the caller: each anchor answers with a result, in
its own time; one that hangs does not hold up the others, and is reported until it comes back.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.audit.note import MAX_NOTE_BYTES
from core.errors import Invalid

TIMEOUT_SECONDS = 5.0
_SIGNATURE = "\u2014 "


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """What became of one append. `problem` is None when the note is durable at `path`."""

    path: Path
    problem: str | None = None


class Anchor:
    """One file that checkpoints are appended to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        """Device, inode and length after the last append."""

    def append(self, note: str) -> Anchored:
        """Append a note and read it back."""
        try:
            problem = self._append(note.encode())
        except OSError as error:
            problem = error.strerror or str(error)
        return Anchored(path=self.path, problem=problem)

    def _append(self, note: bytes) -> str | None:
        created = not self.path.exists()
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        try:
            now = os.fstat(fd)
            if not stat.S_ISREG(now.st_mode):
                return "this is no regular file"
            problem = self._refuse(now)
            if problem is not None:
                return problem
            data = _separator(fd, now.st_size) + note + b"\n"
            written = os.write(fd, data)
            os.fsync(fd)
            after = os.fstat(fd)
            if written != len(data):
                os.ftruncate(fd, after.st_size - written)
                return "the disk took only a part of it; nothing was kept"
            if not _holds(fd, after.st_size, note):
                return "what was written could not be read back"
            self._seen = (after.st_dev, after.st_ino, after.st_size)
        finally:
            os.close(fd)
        if created:
            _sync_folder(self.path.parent)
        return None

    def _refuse(self, now: os.stat_result) -> str | None:
        if self._seen is None:
            return None
        device, inode, length = self._seen
        if (now.st_dev, now.st_ino) != (device, inode):
            return "the file was replaced since the last checkpoint; put it back, or restart the hub to accept this one"
        if now.st_size < length:
            return "the file was cut since the last checkpoint; put it back, or restart the hub to accept this one"
        return None


class Anchors:
    """All configured anchors. `append` may be called from any thread, by one caller at a time."""

    def __init__(self, paths: Iterable[Path], *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._anchors = [Anchor(path) for path in paths]
        self._timeout_seconds = timeout_seconds
        self._busy: dict[Path, threading.Thread] = {}

    def append(self, note: str) -> list[Anchored]:
        """Append `note` to every anchor at the same time; each has `timeout_seconds`."""
        results: dict[Path, Anchored] = {}
        started: list[tuple[Anchor, threading.Thread]] = []
        deadline = time.monotonic() + self._timeout_seconds
        for anchor in self._anchors:
            if anchor.path in self._busy and self._busy[anchor.path].is_alive():
                results[anchor.path] = Anchored(path=anchor.path, problem="an earlier append still hangs")
                continue
            thread = threading.Thread(target=self._run, args=(anchor, note, results), name="anchor", daemon=True)
            self._busy[anchor.path] = thread
            thread.start()
            started.append((anchor, thread))
        for _, thread in started:
            thread.join(max(0.0, deadline - time.monotonic()))
        late = f"no answer within {self._timeout_seconds:g} s"
        return [results.get(anchor.path, Anchored(path=anchor.path, problem=late)) for anchor in self._anchors]

    @staticmethod
    def _run(anchor: Anchor, note: str, results: dict[Path, Anchored]) -> None:
        results[anchor.path] = anchor.append(note)


def parse_anchor(text: str, *, root: Path) -> Path:
    """The absolute path of a configured anchor; a relative one stands below `root`, `~` is the home directory.

    Raises Invalid (`bad_anchor`) for anything that is no path of a file.
    """
    if "://" in text:
        raise Invalid("bad_anchor", f"{text!r} is no anchor: only the path of a file is")
    if not text.strip() or "\0" in text or text.endswith("/"):
        raise Invalid("bad_anchor", f"{text!r} is no anchor: write the path of a file")
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise Invalid("bad_anchor", f"{text!r} is no anchor: nobody here has that home directory") from None
    return Path(os.path.abspath(root / path))


def is_outside(path: Path, data: Path) -> bool:
    """Whether `path` lies outside the data directory: only then does it prove anything about what lies inside."""
    return not path.resolve().is_relative_to(data.resolve())


def read_notes(path: Path) -> list[str]:
    """The notes of a checkpoint file, oldest first: an anchor, `checkpoints.log`, or a single note.

    Text without signature lines, as a crash in the middle of an append leaves it, is passed over. Nothing is
    verified. Raises Invalid (`no_checkpoint`) when the file cannot be read or holds no note.
    """
    try:
        text = path.read_bytes().decode(errors="replace")
    except OSError as error:
        raise Invalid("no_checkpoint", f"{path} cannot be read: {error.strerror}") from None
    notes = split_notes(text)
    if not notes:
        raise Invalid("no_checkpoint", f"{path} holds no signed checkpoint")
    return notes


def split_notes(text: str) -> list[str]:
    """The notes that stand one after the other in `text`."""
    notes: list[str] = []
    body: list[str] = []
    for block in text.split("\n\n"):
        lines = block.strip("\n").split("\n")
        if body and all(line.startswith(_SIGNATURE) for line in lines):
            notes.append("\n".join([*body, "", *lines, ""]))
            body = []
        else:
            body = lines if lines != [""] else []
    return notes


def _separator(fd: int, length: int) -> bytes:
    """What has to stand before a note so that a torn one before it does not swallow it."""
    if length == 0:
        return b""
    tail = os.pread(fd, 2, max(0, length - 2))
    return b"" if tail == b"\n\n" else b"\n\n"


def _holds(fd: int, length: int, note: bytes) -> bool:
    """Whether the note stands at the end of the file; another process may have appended after it."""
    window = min(length, len(note) + 4 * MAX_NOTE_BYTES)
    return note in os.pread(fd, window, length - window)


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
