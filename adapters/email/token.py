"""Tokens in mail addresses and Message-IDs: those of copies, in letters that gateways may fold.

A copy's token is 24 random-looking bytes of the hub's; here they are lower-case base32, 39 characters, so that
`hub+r.<token>@example.com` stays below 64 octets before the @ (RFC 5321 4.5.3.1.1) and survives a change of case.
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator

from adapters.email.letter import Letter
from adapters.email.settings import Settings

_FOLDED = r"[a-z2-7]{39}"
REPLY, BOUNCE = "r", "b"


def fold(token: str) -> str:
    """The token as it stands in an address. Raises ValueError for what is no token."""
    raw = urlsafe_b64decode(token)
    if len(raw) != 24:
        raise ValueError("a token has 24 bytes")
    return b32encode(raw).decode().rstrip("=").lower()


def unfold(folded: str) -> str:
    """The token again, whatever became of its case."""
    return urlsafe_b64encode(b32decode(folded.upper() + "=")).decode()


def address_of(settings: Settings, purpose: str, token: str) -> str:
    """Where a reply or a bounce of that copy goes."""
    return f"{settings.local}+{purpose}.{fold(token)}@{settings.domain}"


def message_id(settings: Settings, token: str, key: str) -> str:
    """The Message-ID of one version of a copy: the same whenever it is sent again (RFC 5322 3.6.4)."""
    return f"<{fold(token)}.{re.sub(r'[^A-Za-z0-9]', '', key)[:24] or '0'}@{settings.domain}>"


def tokens_of(settings: Settings, letter: Letter, purpose: str) -> list[str]:
    """Tokens that the letter was addressed to, each once; then, for a reply, of the mails that it answers."""
    to = re.compile(rf"{re.escape(settings.local)}\+{purpose}\.({_FOLDED})@{re.escape(settings.domain)}")
    found = list(_matches(to, letter.recipients))
    if purpose == REPLY:
        ours = re.compile(rf"<({_FOLDED})\.[a-z0-9]+@{re.escape(settings.domain)}>")
        found += _matches(ours, (each.lower() for each in letter.answers))
    return [unfold(each) for each in dict.fromkeys(found)]


def _matches(pattern: re.Pattern[str], texts: Iterable[str]) -> Iterator[str]:
    return (match[1] for text in texts if (match := pattern.fullmatch(text)))


def without_tokens(settings: Settings, raw: bytes) -> bytes:
    """The mail with our tokens blanked, as it is kept: whoever reads it later must not be able to use them."""
    local, domain = re.escape(settings.local.encode()), re.escape(settings.domain.encode())
    address = re.compile(rb"(?i)(" + local + rb"\+[rb]\.)[a-z2-7]{39}(?=@" + domain + rb")")
    identifier = re.compile(rb"(?i)<[a-z2-7]{39}(\.[a-z0-9]+@" + domain + rb">)")
    link = re.compile(rb"(/a/)[A-Za-z0-9_-]{32}")
    return link.sub(rb"\1-", identifier.sub(rb"<-\1", address.sub(rb"\1-", raw)))
