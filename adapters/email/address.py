"""Mail addresses, read strictly: one mailbox or none, never a guess (RFC 5322 3.4, RFC 5321 4.5.3.1).

The standard library names the wrong sender for `From: alice@corp.test <bob@evil.test>`. Here such a header has no
sender at all: an address outside the angle brackets, a second address, a comment or a group are refused.
"""

from __future__ import annotations

import re

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*"')
_NEVER_IN_A_NAME = frozenset('@,;:<>()[]\\"')
_MOST = 1_000


def address(text: str) -> str | None:
    """`text` as one bare address, folded to lower case; None for anything else."""
    local, at, domain = text.rpartition("@")
    if not at or len(local) > 64 or len(domain) > 253 or not text.isascii():
        return None
    if not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        return None
    return f"{local}@{domain}".lower()


def mailbox(value: str) -> str | None:
    """The address of a header that holds exactly one mailbox: `a@b`, `<a@b>`, `Name <a@b>`, `"Name" <a@b>`."""
    text = value.strip(" \t")
    if len(text) > _MOST or any(ord(char) < 32 and char != "\t" for char in text):
        return None
    if not text.endswith(">"):
        return address(text)
    name, open_, rest = text[:-1].rpartition("<")
    if not open_ or not _is_name(name.strip(" \t")):
        return None
    return address(rest)


def _is_name(name: str) -> bool:
    """Whether it is a display name and nothing that could be taken for an address."""
    bare = _QUOTED.sub("", name)
    return not _NEVER_IN_A_NAME.intersection(bare)
