"""Access and refresh tokens: a JWT (RFC 7519, HS256 alone) for ten minutes, and an opaque one to get the next.

A refresh token names its session and its turn, and carries a MAC over both: so a token of an earlier turn is known
to be ours, and presenting it proves that two hold the same secret. A forged one proves nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import jwt

from core.clock import SECOND
from core.errors import Unproven

ACCESS_SECONDS = 600
ALGORITHM = "HS256"
REFRESH_START = "ilr_"
_AUDIENCE = "interlock"
_KEY_BYTES = 32
_CLAIMS = ["iss", "aud", "sub", "sid", "iat", "exp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a valid access token says."""

    session: str
    principal: str
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """What a genuine refresh token says; whether it is its turn, the session knows."""

    session: str
    generation: int


class Tokens:
    """Makes tokens and reads them, with one key that never leaves the data directory."""

    def __init__(self, key: bytes) -> None:
        self._access = _derive(key, b"access")
        self._refresh = _derive(key, b"refresh")
        self._nonce = _derive(key, b"nonce")

    @classmethod
    def load(cls, path: Path) -> Tokens:
        """The tokens of the key file at `path`; a missing one is made, readable by its owner alone."""
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return cls(path.read_bytes())
        key = secrets.token_bytes(_KEY_BYTES)
        with os.fdopen(fd, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(fd)
        return cls(key)

    def access(self, *, session: str, principal: str, now_us: int) -> str:
        """A JWT that proves the session until ten minutes from now."""
        now = now_us // SECOND
        claims = {
            "iss": _AUDIENCE,
            "aud": _AUDIENCE,
            "sub": principal,
            "sid": session,
            "iat": now,
            "exp": now + ACCESS_SECONDS,
        }
        return jwt.encode(claims, self._access, algorithm=ALGORITHM, headers={"typ": "at+jwt"})

    def read_access(self, text: str, *, now_us: int) -> Access:
        """What the JWT says. Raises Unproven (`bad_token`, `token_expired`)."""
        try:
            claims = jwt.decode(
                text,
                self._access,
                algorithms=[ALGORITHM],
                audience=_AUDIENCE,
                issuer=_AUDIENCE,
                # Times are compared below, with the hub's clock and not the process's.
                options={
                    "require": _CLAIMS,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except (jwt.PyJWTError, ValueError):
            raise Unproven("bad_token", "the access token is not one of this hub") from None
        session, principal, expires = claims["sid"], claims["sub"], claims["exp"]
        if type(session) is not str or type(principal) is not str or type(expires) is not int:
            raise Unproven("bad_token", "the access token is not one of this hub")
        if expires * SECOND <= now_us:
            raise Unproven(
                "token_expired",
                "the access token is over; get the next with the refresh token",
            )
        return Access(session=session, principal=principal, expires_at=expires * SECOND)

    def refresh(self, *, session: str, generation: int) -> str:
        """The refresh token of that turn."""
        return f"{REFRESH_START}{session}.{generation}.{self._mac(session, generation)}"

    def read_refresh(self, text: str) -> Refresh:
        """What a genuine refresh token says. Raises Unproven (`bad_token`)."""
        session, _, rest = text.removeprefix(REFRESH_START).partition(".")
        turn, _, mac = rest.partition(".")
        if text.startswith(REFRESH_START) and text.isascii() and turn.isdigit() and len(turn) < 10:
            generation = int(turn)
            if hmac.compare_digest(mac, self._mac(session, generation)):
                return Refresh(session=session, generation=generation)
        raise Unproven("bad_token", "the refresh token is not one of this hub")

    def nonce(self, proof: str, purpose: str) -> str:
        """A text that is always the same for this proof and purpose, and that nobody else can make."""
        return _text(hmac.digest(self._nonce, f"{purpose}\n{proof}".encode(), hashlib.sha256))

    def _mac(self, session: str, generation: int) -> str:
        return _text(hmac.digest(self._refresh, f"{session}.{generation}".encode(), hashlib.sha256))


def _derive(key: bytes, purpose: bytes) -> bytes:
    if len(key) != _KEY_BYTES:
        raise ValueError(f"the token key has {len(key)} bytes and needs {_KEY_BYTES}; delete the file to get a new one")
    return hmac.digest(key, b"interlock " + purpose, hashlib.sha256)


def _text(mac: bytes) -> str:
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
