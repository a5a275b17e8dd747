"""What a command printed: bounded, secrets replaced, the beginning and the end kept."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable, Iterable, Iterator

from core.apply.printed import OUTPUT_LIMIT, Printed

REDACTED = "•••"

SHORTEST_SECRET = 6
"""A shorter value would blank ordinary words and is left alone."""


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
    """The output of one command: shown as it comes, in whole characters, and kept within the limit."""

    def __init__(
        self, *, limit: int = OUTPUT_LIMIT, secrets: Iterable[str] = (), show: Callable[[str], None] | None = None
    ) -> None:
        self._kept = Printed(limit)
        self._redaction = Redaction(secrets)
        self._hash = hashlib.sha256()
        self._show = show
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> None:
        """`data` was printed; what of the stream may be seen now is kept and shown, secrets replaced."""
        self._take(self._redaction.feed(data), final=False)

    def end(self) -> None:
        """The stream is over; what was held back is kept and shown."""
        self._take(self._redaction.end(), final=True)

    @property
    def truncated_bytes(self) -> int:
        return self._kept.dropped

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the whole stream with its secrets replaced, also of what is not kept."""
        return self._hash.hexdigest()

    def text(self) -> str:
        """What is kept; undecodable bytes, and NUL, which no database takes, stand as U+FFFD. A gap is told in it."""
        return self._kept.text()

    def _take(self, data: bytes, *, final: bool) -> None:
        self._hash.update(data)
        text = self._decoder.decode(data, final).replace("\0", "\ufffd")
        if text:
            self._kept.feed(text)
            if self._show is not None:
                self._show(text)
