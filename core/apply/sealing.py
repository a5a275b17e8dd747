"""Secret values at rest: AES-256-GCM under a key of their own, which is wrapped by a key outside the database.

A sealed value is `IS1` | key id (8) | nonce (12) | wrapped data key (48) | nonce (12) | ciphertext and tag. The data
key is sealed with the header as associated data, the value with the header and the caller's context, so a value
opens only where it was put and only as what it was.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import Invalid, Unavailable

KEY_BYTES = 32

_MAGIC = b"IS1"
_NONCE = 12
_WRAPPED = KEY_BYTES + 16
_HEADER = len(_MAGIC) + 8
_BODY = _HEADER + _NONCE + _WRAPPED


class SealingKey:
    """A key that wraps the keys of records. Its id says nothing about it."""

    __slots__ = ("_cipher", "id")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise Invalid("bad_sealing_key", f"a sealing key is exactly {KEY_BYTES} bytes")
        self._cipher = AESGCM(key)
        self.id = hashlib.sha256(b"interlock sealing key id\0" + key).digest()[:8]

    def __repr__(self) -> str:
        return f"SealingKey({self.id.hex()})"

    def wrap(self, key: bytes) -> bytes:
        """`key` encrypted: nonce and ciphertext."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, key, _MAGIC + self.id)

    def unwrap(self, wrapped: bytes) -> bytes:
        """The key that was wrapped; raises InvalidTag when it was changed."""
        return self._cipher.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _MAGIC + self.id)


class Sealer:
    """Seals under the current key, opens what any known key sealed."""

    __slots__ = ("_current", "_known")

    def __init__(self, current: SealingKey, former: Iterable[SealingKey] = ()) -> None:
        self._current = current
        self._known = {key.id: key for key in (*former, current)}

    def __repr__(self) -> str:
        return f"Sealer({self._current.id.hex()})"

    def seal(self, value: str, context: str) -> bytes:
        """`value` encrypted; `context` (`A142|name|1`) must be given again to open it."""
        key = AESGCM.generate_key(KEY_BYTES * 8)
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(key).encrypt(nonce, value.encode("utf-8", "surrogatepass"), _bound(context))
        return _MAGIC + self._current.id + self._current.wrap(key) + nonce + sealed

    def open(self, sealed: bytes, context: str) -> str:
        """The value that was sealed under `context`; Invalid `secret_unreadable` for anything else."""
        try:
            key = AESGCM(self._data_key(sealed))
            nonce, body = sealed[_BODY : _BODY + _NONCE], sealed[_BODY + _NONCE :]
            return key.decrypt(nonce, body, _bound(context)).decode("utf-8", "surrogatepass")
        except (InvalidTag, ValueError):
            raise _unreadable() from None

    def rewrap(self, sealed: bytes) -> bytes:
        """The same sealed value under the current key; what is under it already comes back unchanged."""
        try:
            key = self._data_key(sealed)
        except (InvalidTag, ValueError):
            raise _unreadable() from None
        if sealed[len(_MAGIC) : _HEADER] == self._current.id:
            return sealed
        return _MAGIC + self._current.id + self._current.wrap(key) + sealed[_BODY:]

    def _data_key(self, sealed: bytes) -> bytes:
        key = self._known.get(sealed[len(_MAGIC) : _HEADER])
        if key is None or not sealed.startswith(_MAGIC) or len(sealed) < _BODY + _NONCE + 16:
            raise ValueError
        return key.unwrap(sealed[_HEADER:_BODY])


def create_key(path: Path) -> SealingKey:
    """A new key is in the new file `path`, readable by its owner alone, and durable."""
    key = secrets.token_bytes(KEY_BYTES)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, key)
        os.fsync(fd)
    finally:
        os.close(fd)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return SealingKey(key)


def read_key(path: Path) -> SealingKey:
    """The key in `path`; Unavailable `sealing_key_exposed` when others than its owner may read it.

    Raises FileNotFoundError when there is none: whoever owns the data directory decides whether to create one, which
    is wrong when sealed values exist.
    """
    with open(path, "rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise Unavailable(
                "sealing_key_exposed",
                f"{path} may be read by others; `chmod 600` it, or make a new key",
                path=str(path),
            )
        return SealingKey(file.read(KEY_BYTES + 1))


def _bound(context: str) -> bytes:
    return _MAGIC + b"\0" + context.encode()


def _unreadable() -> Invalid:
    return Invalid("secret_unreadable", "a secret value cannot be read: it was changed, moved, or its key is missing")
