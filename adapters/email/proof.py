"""How strongly a mail proves its sender: by the word of the receiving server that we trust, or by DKIM of our own.

A From alone proves nothing, and a token alone only that its holder saw the mail. Both and an aligned verdict make
`email`; nothing here makes more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from adapters.email.letter import Letter
from adapters.email.results import aligned, trusted
from adapters.email.settings import Trust

_DNS_SECONDS = 5
Lookup = Callable[..., bytes | None]
"""`lookup(name, timeout=…)` -> the TXT record, as dkimpy asks for it."""


async def proven(letter: Letter, raw: bytes, trust: Trust, lookup: Lookup | None = None) -> str | None:
    """What proves that `letter` came from its sender's domain, in words for the log; None when nothing does."""
    if letter.sender is None:
        return None
    domain = letter.sender.rpartition("@")[2]
    if trust.authserv_id is not None:
        said = trusted(letter.headers, trust.authserv_id, trust.hosts)
        if said is not None:
            method = aligned(said, domain)
            return f"{method}=pass by {said.server}" if method is not None else None
    if trust.dkim and await asyncio.to_thread(_signed, raw, domain, lookup):
        return f"dkim=pass for {domain}"
    return None


def _signed(raw: bytes, domain: str, lookup: Lookup | None) -> bool:
    """Whether a signature of `domain`, or of one above it, covers From and the whole body (RFC 6376)."""
    import dkim  # type: ignore[import-untyped]

    message = dkim.DKIM(raw, timeout=_DNS_SECONDS)
    count = sum(name.lower() == b"dkim-signature" for name, _ in message.headers)
    for index in range(min(count, 5)):
        try:
            passed = message.verify(index, **({"dnsfunc": lookup} if lookup is not None else {}))
        except (dkim.DKIMException, ValueError, OSError):
            continue
        fields = message.signature_fields
        signer = fields.get(b"d", b"").decode("ascii", "replace").lower()
        if passed and b"l" not in fields and "." in signer and f".{domain}".endswith(f".{signer}"):
            return True
    return False
