"""Standard base64 (RFC 4648, section 4) in its one exact form, as signed notes and keys use it."""

from __future__ import annotations

import base64
import binascii


def encode(data: bytes) -> str:
    """The base64 of `data`."""
    return base64.b64encode(data).decode("ascii")


def decode(text: str) -> bytes | None:
    """The bytes of standard base64 in its one exact form, or None."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if encode(data) == text else None
