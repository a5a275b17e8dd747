"""What a run printed, by place: bounded, read from any offset on, stored and found again.

An offset counts bytes of the whole text in UTF-8, also of what is no longer kept. So a reader is a place in the text, not a
queue: one that comes back, or comes late, goes on where it was, and one that is too slow is told how much it missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

OUTPUT_LIMIT = 1_048_576
"""Bytes of output that are kept, half from the beginning and half from the end."""

PIECE = 65_536
"""Bytes that are read at once, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of the text. `skipped` bytes before it were asked for and are not kept."""

    offset: int
    text: str
    next: int
    skipped: int


class Printed:
    """The beginning and the end of a text, never more than `limit` bytes; both begin and end with whole characters."""

    def __init__(self, limit: int = OUTPUT_LIMIT) -> None:
        self._head_limit = limit // 2
        self._tail_limit = limit - self._head_limit
        self._head = bytearray()
        self._tail = bytearray()
        self._head_is_full = False
        self.total = 0

    @classmethod
    def of(cls, stored: bytes, dropped: int) -> Self:
        """What `stored` gave, to be read again. Where no gap is told, what was dropped came after all that is kept."""
        found = cls()
        head, _, tail = stored.partition(_gap(dropped)) if dropped else (stored, b"", b"")
        found._head, found._tail, found._head_is_full = bytearray(head), bytearray(tail), True
        found.total = len(head) + dropped + len(tail)
        return found

    def feed(self, text: str) -> None:
        """`text` was printed."""
        data = text.encode("utf-8", "replace")
        self.total += len(data)
        if not self._head_is_full:
            cut = _back(data, self._head_limit - len(self._head))
            self._head += data[:cut]
            data = data[cut:]
            self._head_is_full = bool(data)
        self._tail += data
        if len(self._tail) > self._tail_limit:
            del self._tail[: _forward(self._tail, len(self._tail) - self._tail_limit)]

    @property
    def dropped(self) -> int:
        """Bytes between the kept beginning and the kept end."""
        return self.total - len(self._head) - len(self._tail)

    def read(self, offset: int) -> Piece | None:
        """The next stretch at or after `offset`; None when there is none, yet or ever."""
        if offset >= self.total:
            return None
        kept, first = (self._head, 0) if offset < len(self._head) else (self._tail, self.total - len(self._tail))
        at = max(offset, first)
        end = _back(kept, at - first + PIECE)
        text = kept[at - first : end].decode("utf-8", "replace")
        return Piece(offset=at, text=text, next=first + end, skipped=at - offset)

    def stored(self, most: int | None = None) -> tuple[bytes, int]:
        """What is kept, with its gap told in it, and the bytes of the gap; `most` leaves less than is kept."""
        head, tail = bytes(self._head), bytes(self._tail)
        if most is not None and len(head) + len(tail) > most:
            whole = head + tail
            first, last = (head, tail) if self.dropped else (whole, whole)
            head, tail = first[: _back(first, most // 2)], last[_forward(last, len(last) - most // 2) :]
        dropped = self.total - len(head) - len(tail)
        return head + (_gap(dropped) if dropped else b"") + tail, dropped

    def text(self) -> str:
        """What is kept as text; a gap says how much is missing."""
        return self.stored()[0].decode("utf-8", "replace")


def _gap(dropped: int) -> bytes:
    return b"\n[%d bytes left out]\n" % dropped


def _is_inside(data: bytes | bytearray, at: int) -> bool:
    """Whether a character goes on at `at`."""
    return 0 < at < len(data) and data[at] & 0xC0 == 0x80


def _back(data: bytes | bytearray, at: int) -> int:
    """The end of the last whole character at or before `at`."""
    at = max(0, min(at, len(data)))
    while _is_inside(data, at):
        at -= 1
    return at


def _forward(data: bytes | bytearray, at: int) -> int:
    """The beginning of the first character at or after `at`."""
    at = max(0, at)
    while _is_inside(data, at):
        at += 1
    return at
