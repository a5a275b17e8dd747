"""Short-lived notes to ourselves that a browser carries in a cookie: readable, but nobody else can write one."""

from __future__ import annotations

import base64
import binascii
import hmac

from starlette.responses import Response

from core.clock import SECOND
from core.people.tokens import Tokens
from hub.http.edge import cookies_are_secure

NOTE_SECONDS = 600


def write_note(tokens: Tokens, purpose: str, text: str, *, now_us: int) -> str:
    """A note that is good for that purpose, for ten minutes."""
    until = now_us // SECOND + NOTE_SECONDS
    body = base64.urlsafe_b64encode(f"{until} {text}".encode()).decode().rstrip("=")
    return f"{body}.{tokens.nonce(body, purpose)}"


def read_note(tokens: Tokens, purpose: str, note: str, *, now_us: int) -> str | None:
    """What the note says; None for one that is not ours, was for another purpose, or whose time is over."""
    body, _, mac = note.partition(".")
    if not note.isascii() or not hmac.compare_digest(mac, tokens.nonce(body, purpose)):
        return None
    try:
        until, _, text = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode().partition(" ")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return text if int(until) > now_us // SECOND else None


def note_name(public_url: str, name: str) -> str:
    """The cookie's name: by https one that no other host of the same site can set (RFC 6265bis, `__Host-`)."""
    return f"__Host-interlock_{name}" if cookies_are_secure(public_url) else f"interlock_{name}"


def hand_note(response: Response, public_url: str, name: str, note: str) -> None:
    """The response makes the browser keep the note; an empty one makes it forget."""
    response.set_cookie(
        note_name(public_url, name),
        note,
        max_age=NOTE_SECONDS if note else 0,
        path="/",
        secure=cookies_are_secure(public_url),
        httponly=True,
        samesite="lax",
    )
