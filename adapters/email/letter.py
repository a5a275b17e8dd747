"""One mail as received, read without trust: bytes in, facts out. Pure, linear, and bounded in every direction.

Headers are read by our own scanner, so that a second From or a broken line cannot hide; bodies by the standard
library, within limits that keep it linear.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import policy
from email.errors import MessageError
from email.message import Message
from email.parser import BytesParser

from adapters.email.address import mailbox
from adapters.email.html import text_of

MOST_BYTES = 10 * 1024 * 1024
MOST_PARTS = 200
MOST_DEPTH = 10
_MOST_HEADER_BYTES = 262_144
_MOST_HEADERS = 500
_MOST_BOUNDARIES = 2_000
_MOST_TEXT = 262_144

_NAME = re.compile(r"[!-9;-~]+")
_RECIPIENTS = ("envelope-to", "delivered-to", "x-original-to", "x-gm-original-to", "to", "cc")
_NOBODY = re.compile(r"(mailer-daemon|postmaster|no-?reply|do-?not-?reply|bounces?)(\+.*)?@", re.IGNORECASE)
_EMPTY_LINE = re.compile(rb"(?:\A|\n)\r?\n")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,400}>")
_FORWARD = re.compile(r"\s*(fwd?|wg|tr|rv|enc|i)\s*:", re.IGNORECASE)


class Unreadable(Exception):
    """The mail cannot be read; it is put aside for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """A delivery status notification (RFC 3464) about one of our mails."""

    failed: bool
    """False for a delay, which is no failure."""
    status: str
    """`5.1.1`, as the other server says it."""
    recipient: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a mail says. `text` and `html` are decoded bodies; None where there is none."""

    headers: tuple[tuple[str, str], ...]
    """In their order, names in lower case, unfolded."""
    sender: str | None
    """The one address of the one From, or None: then nobody sent it, as far as we are concerned."""
    subject: str
    message_id: str | None
    answers: tuple[str, ...]
    """Message-IDs that it answers, the nearest first."""
    recipients: tuple[str, ...]
    """Every address-like word of the headers that say whom it was for, in lower case."""
    automatic: str | None
    """Why it is a machine's mail, which nothing answers and which decides nothing; None for a person's."""
    forward: bool
    bounce: Bounce | None
    text: str | None
    html: str | None
    json: bytes | None
    """The one application/json part, or the whole body of that type."""
    key: str
    """The same whenever the same mail arrives again: hex SHA-256 over Message-ID, From, Date and body."""

    @property
    def words(self) -> str:
        """The body as text, from HTML only when there is no text."""
        return self.text if self.text is not None else text_of(self.html or "")

    def first(self, name: str) -> str:
        """The value of the first header of that name, or nothing."""
        return next((value for each, value in self.headers if each == name), "")


def read(raw: bytes) -> Letter:
    """The mail of these bytes. Raises Unreadable."""
    if len(raw) > MOST_BYTES:
        raise Unreadable(f"it has more than {MOST_BYTES // 1024 // 1024} MB")
    headers, sound = _headers(raw)
    body_at = _body_at(raw)
    if raw.count(b"\n--", body_at) > _MOST_BOUNDARIES:
        raise Unreadable("it has too many parts")
    try:
        message = BytesParser(policy=policy.compat32).parsebytes(raw)
        parts = list(_parts(message))
    except (MessageError, RecursionError, LookupError, ValueError, TypeError, AssertionError, AttributeError) as error:
        raise Unreadable(f"its parts cannot be read ({type(error).__name__})") from error
    given = [value for name, value in headers if name == "from"]
    sender = mailbox(given[0]) if sound and len(given) == 1 else None
    plain, html = _body(parts, "text/plain"), _body(parts, "text/html")
    return Letter(
        headers=headers,
        sender=sender,
        subject=_first(headers, "subject")[:998],
        message_id=next(iter(_ids(_first(headers, "message-id"))), None),
        answers=tuple([*_ids(_first(headers, "in-reply-to")), *reversed(_ids(_first(headers, "references")))][:50]),
        recipients=tuple(_addresses(headers)),
        automatic=_automatic(headers, message, sender),
        forward=bool(_FORWARD.match(_first(headers, "subject")))
        or any(_type(part) == "message/rfc822" for part in parts),
        bounce=_bounce(message, parts),
        text=plain,
        html=html,
        json=_json(parts),
        key=_key(headers, raw[body_at:]),
    )


def _body_at(raw: bytes) -> int:
    """Where the body begins: after the first empty line, however lines end, just as the body's parser sees it."""
    found = _EMPTY_LINE.search(raw)
    return found.end() if found else len(raw)


def _headers(raw: bytes) -> tuple[tuple[tuple[str, str], ...], bool]:
    """Every header, and whether all of the block was one. Raises Unreadable past the limits."""
    head = raw[: _body_at(raw)]
    if len(head) > _MOST_HEADER_BYTES:
        raise Unreadable("its header is too large")
    found: list[tuple[str, list[str]]] = []
    sound = b"\0" not in head and b"\r" not in head.replace(b"\r\n", b"")
    for line in head.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n"):
        if line[:1] in (" ", "\t") and found:
            found[-1][1].append(line)
        elif line:
            name, colon, value = line.partition(":")
            if not colon or not _NAME.fullmatch(name):
                sound = False
            else:
                found.append((name.lower(), [value]))
    if len(found) > _MOST_HEADERS:
        raise Unreadable("it has too many headers")
    return tuple((name, "".join(lines).strip()) for name, lines in found), sound


def _first(headers: tuple[tuple[str, str], ...], name: str) -> str:
    return next((value for each, value in headers if each == name), "")


def _ids(value: str) -> list[str]:
    return _MESSAGE_ID.findall(value[:16_384])[:50]


def _addresses(headers: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, value in headers:
        if name in _RECIPIENTS:
            for word in re.split(r"[\s,;<>\"]+", value[:16_384]):
                if "@" in word:
                    yield word.lower()


def _parts(message: Message) -> Iterator[Message]:
    """Every part that holds something, a forwarded mail as one. Raises Unreadable past the limits."""
    todo = [(message, 0)]
    count = 0
    while todo:
        part, depth = todo.pop()
        count += 1
        if count > MOST_PARTS or depth > MOST_DEPTH:
            raise Unreadable("it has too many parts")
        inner = part.get_payload()
        if isinstance(inner, list) and not _type(part).startswith("message/"):
            todo.extend((each, depth + 1) for each in reversed(inner) if isinstance(each, Message))
        else:
            yield part


def _type(part: Message) -> str:
    return part.get_content_type()


def _body(parts: list[Message], kind: str) -> str | None:
    """The first part of that type which is no attachment."""
    for part in parts:
        if _type(part) == kind and part.get_content_disposition() != "attachment":
            return _decoded(part)
    return None


def _decoded(part: Message) -> str:
    content = part.get_payload(decode=True)
    content = content[:_MOST_TEXT] if isinstance(content, bytes) else b""
    charset = part.get_content_charset() or "utf-8"
    try:
        return content.decode(charset, "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def _json(parts: list[Message]) -> bytes | None:
    found = [part.get_payload(decode=True) for part in parts if _type(part) == "application/json"]
    return found[0] if len(found) == 1 and isinstance(found[0], bytes) else None


def _automatic(headers: tuple[tuple[str, str], ...], message: Message, sender: str | None) -> str | None:
    """Why a machine sent it (RFC 3834 and what is customary), or None."""
    by_name: dict[str, str] = {}
    for name, value in headers:
        by_name.setdefault(name, value.lower())
    if by_name.get("return-path", "").strip() == "<>":
        return "its return path is empty"
    if by_name.get("auto-submitted", "no").split(";")[0].strip() not in ("", "no"):
        return "it says Auto-Submitted"
    if by_name.get("precedence", "").strip() in ("bulk", "list", "junk", "auto_reply"):
        return "it says Precedence"
    suppress = by_name.get("x-auto-response-suppress", "")
    if any(word.strip() in ("all", "autoreply", "oof") for word in suppress.split(",")):
        return "it says X-Auto-Response-Suppress"
    for name in ("list-id", "list-unsubscribe", "x-autoreply", "x-autorespond", "x-loop"):
        if name in by_name:
            return f"it has {name}"
    if message.get_content_type() == "multipart/report":
        return "it is a report"
    if sender is not None and _NOBODY.match(sender):
        return "nobody reads its sender"
    return None


def _bounce(message: Message, parts: list[Message]) -> Bounce | None:
    if message.get_content_type() != "multipart/report":
        return None
    for part in parts:
        if _type(part) == "message/delivery-status":
            for block in _blocks(part):
                if block.get("action") in ("failed", "delayed"):
                    return Bounce(
                        failed=block["action"] == "failed",
                        status=block.get("status", "")[:20],
                        recipient=block.get("final-recipient", "").rpartition(";")[2].strip()[:320],
                        detail=block.get("diagnostic-code", "").rpartition(";")[2].strip()[:300],
                    )
    return None


def _blocks(part: Message) -> Iterator[Mapping[str, str]]:
    """The groups of fields of a delivery status, each field once, folded lines joined."""
    payload = part.get_payload()
    for block in payload if isinstance(payload, list) else ():
        if not isinstance(block, Message):
            continue
        yield {
            name.lower(): " ".join(str(value).split()).lower()
            if name.lower() == "action"
            else " ".join(str(value).split())
            for name, value in block.items()
        }


def _key(headers: tuple[tuple[str, str], ...], body: bytes) -> str:
    digest = hashlib.sha256()
    for name in ("message-id", "from", "date"):
        digest.update(_first(headers, name).encode("utf-8", "surrogateescape") + b"\n")
    digest.update(hashlib.sha256(body).digest())
    return digest.hexdigest()
