"""What a command printed: bounded, secrets replaced, the beginning and the end kept."""

from __future__ import annotations

import codecs
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator

OUTPUT_LIMIT = 1_048_576
"""Bytes of output that are kept, half from the beginning and half from the end."""

REDACTED = "•••"

SHORTEST_SECRET = 6
"""A shorter value would blank ordinary words and is left alone."""


class HeadTail:
    """The first and the last bytes of a stream, never more than `limit` in memory."""

    def __init__(self, limit: int = OUTPUT_LIMIT) -> None:
        self._head_limit = limit // 2
        self._tail_limit = limit - self._head_limit
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self.total = 0

    def feed(self, data: bytes) -> None:
        """`data` is part of the stream."""
        self.total += len(data)
        room = self._head_limit - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if not data:
            return
        self._tail.append(data[-self._tail_limit :])
        self._tail_size += len(self._tail[-1])
        while self._tail_size - len(self._tail[0]) >= self._tail_limit:
            self._tail_size -= len(self._tail.popleft())
        if len(self._tail) > 4096:
            self._tail = deque([b"".join(self._tail)])

    @property
    def dropped(self) -> int:
        """Bytes of the stream that are not kept."""
        return self.total - len(self._head) - min(self._tail_size, self._tail_limit)

    def parts(self) -> tuple[bytes, bytes]:
        """The kept beginning and the kept end; nothing lies between them when `dropped` is 0."""
        return bytes(self._head), b"".join(self._tail)[-self._tail_limit :]


class Redaction:
    """A stream in which exact secrets are replaced, also where they are cut across chunks or overlap."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        found = {secret.encode("utf-8", "surrogateescape") for secret in secrets if len(secret) >= SHORTEST_SECRET}
        self._secrets = sorted(found)
        self._longest = max(map(len, self._secrets), default=0)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What may be shown now; an end that could be the beginning of a secret is held back."""
        if not self._secrets:
            return data
        data = self._held + data
        spans = self._spans(data)
        cut = self._undecided(data)
        for start, end in spans:
            if start < cut < end:
                # A longer or an overlapping secret may be coming; what is held stays bounded all the same.
                cut = start if len(data) - start <= 4 * self._longest else end
        self._held = data[cut:]
        return _replaced(data[:cut], [span for span in spans if span[1] <= cut])

    def end(self) -> bytes:
        """The rest of the stream."""
        held, self._held = self._held, b""
        return _replaced(held, self._spans(held))

    def _spans(self, data: bytes) -> list[tuple[int, int]]:
        """Where secrets are, overlapping ones as one, in order."""
        spans: list[tuple[int, int]] = []
        for start, end in sorted(span for secret in self._secrets for span in _occurrences(data, secret)):
            if spans and start < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((start, end))
        return spans

    def _undecided(self, data: bytes) -> int:
        """Where the longest end of `data` begins that a secret could continue."""
        return min(_unfinished(data, secret) for secret in self._secrets)


def _occurrences(data: bytes, secret: bytes) -> Iterator[tuple[int, int]]:
    at = data.find(secret)
    while at >= 0:
        yield at, at + len(secret)
        at = data.find(secret, at + len(secret))


def _unfinished(data: bytes, secret: bytes) -> int:
    """Where the longest end of `data` begins that is a beginning of `secret`, but not all of it."""
    head = secret[:8]
    at = max(0, len(data) - len(secret) + 1)
    while at < len(data) and not secret.startswith(data[at:]):
        further = data.find(head, at + 1)
        at = further if further >= 0 else max(at + 1, len(data) - len(head) + 1)
    return at


def _replaced(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    parts: list[bytes] = []
    at = 0
    for start, end in spans:
        parts += (data[at:start], REDACTED.encode())
        at = end
    return b"".join((*parts, data[at:]))


class Capture:
    """The output of one command: shown as it comes, and kept within the limit."""

    def __init__(self, *, limit: int = OUTPUT_LIMIT, secrets: Iterable[str] = ()) -> None:
        self._kept = HeadTail(limit)
        self._redaction = Redaction(secrets)
        self._hash = hashlib.sha256()

    def feed(self, data: bytes) -> bytes:
        """`data` was printed; answers what of the stream may be shown now, secrets replaced."""
        return self._take(self._redaction.feed(data))

    def end(self) -> bytes:
        """The stream is over; answers the last bytes to show."""
        return self._take(self._redaction.end())

    @property
    def truncated_bytes(self) -> int:
        return self._kept.dropped

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the whole stream with its secrets replaced, also of what is not kept."""
        return self._hash.hexdigest()

    def text(self) -> str:
        """What is kept as text; undecodable bytes and NUL become U+FFFD, and a gap says how much is missing."""
        head, tail = self._kept.parts()
        if not self._kept.dropped:
            return readable(head + tail)
        return f"{readable(head)}\n[{self._kept.dropped} bytes left out]\n{readable(tail)}"

    def _take(self, data: bytes) -> bytes:
        self._hash.update(data)
        self._kept.feed(data)
        return data


class Viewer:
    """The same output as text for whoever watches, in whole characters and up to a limit."""

    def __init__(self, capture: Capture, show: Callable[[str], None] | None, limit: int = OUTPUT_LIMIT) -> None:
        self._capture = capture
        self._show = show
        self._left = limit
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> None:
        """`data` was printed; it is captured, and shown as far as the limit allows."""
        self._pass_on(self._capture.feed(data), final=False)

    def end(self) -> None:
        """The stream is over; what was held back is shown."""
        self._pass_on(self._capture.end(), final=True)

    def _pass_on(self, data: bytes, *, final: bool) -> None:
        if self._show is None or self._left < 0:
            return
        text = self._decoder.decode(data[: self._left], final).replace("\0", "\ufffd")
        self._left -= len(data)
        if self._left < 0:
            text += "\n[more is printed than is shown here]\n"
        if text:
            self._show(text)


def readable(data: bytes) -> str:
    """Text in which undecodable bytes, and NUL, which no database takes, stand as U+FFFD."""
    return data.decode("utf-8", "replace").replace("\0", "\ufffd")
