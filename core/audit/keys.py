"""The keys that sign the log: Ed25519, written as C2SP signed-note writes them.

A verifier key is `name+id+base64 of 0x01 and the public key`; a signing key is
`PRIVATE+KEY+name+id+base64 of 0x01 and the seed`, as Go's sumdb/note writes it. A key's id is the first 4 bytes
of SHA-256(name || 0x0A || 0x01 || public key).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from core.audit import b64
from core.errors import Invalid

_ED25519 = b"\x01"
_PRIVATE = "PRIVATE+KEY+"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key with the name under which it signs."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.public) != 32:
            raise Invalid("bad_key", "an Ed25519 public key has 32 bytes")

    @property
    def id(self) -> bytes:
        """The 4 bytes that point a signature at this key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """The key as it is published: `name+id+key`."""
        return f"{self.name}+{self.id.hex()}+{b64.encode(_ED25519 + self.public)}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """The key of its text. Raises Invalid (`bad_key`)."""
        name, material = _split_key(text.strip())
        key = cls(name=name, public=material)
        if text.strip() != key.text:
            raise Invalid("bad_key", "the key's id does not belong to its name and bytes")
        return key

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key with the name under which it signs. Never shown, never logged."""

    name: str
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.seed) != 32:
            raise Invalid("bad_key", "an Ed25519 private key has 32 bytes")

    @classmethod
    def generate(cls, name: str) -> SigningKey:
        """A new random key."""
        return cls(name=name, seed=Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """The key of its text. Raises Invalid (`bad_key`)."""
        text = text.strip()
        if not text.startswith(_PRIVATE):
            raise Invalid("bad_key", "this is no signing key: it does not begin with PRIVATE+KEY+")
        name, material = _split_key(text.removeprefix(_PRIVATE))
        key = cls(name=name, seed=material)
        if text != key.text:
            raise Invalid("bad_key", "the key's id does not belong to its name and bytes")
        return key

    @property
    def text(self) -> str:
        """The key as one line, for a file that nobody else may read."""
        return f"{_PRIVATE}{self.name}+{self.verifier.id.hex()}+{b64.encode(_ED25519 + self.seed)}"

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(name=self.name, public=self._private().public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """This key's signature over `message`."""
        return self._private().sign(message)

    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def is_name(name: str) -> bool:
    """Whether a key may bear that name."""
    return bool(name) and "+" not in name and not any(character.isspace() for character in name)


def _check_name(name: str) -> None:
    if not is_name(name) or any(character < " " for character in name):
        raise Invalid("bad_key", f"{name!r} is no key name: spaces, plus signs and control characters are not allowed")


def _split_key(text: str) -> tuple[str, bytes]:
    """Name and 32 bytes of a key's text."""
    name, _, rest = text.partition("+")
    material = b64.decode(rest.partition("+")[2])
    if material is None or len(material) != 33:
        raise Invalid("bad_key", "a key is written name+id+base64")
    if material[:1] != _ED25519:
        raise Invalid("bad_key", f"the key is of type {material[0]:#04x}; only Ed25519 (0x01) is used here")
    return name, material[1:]
