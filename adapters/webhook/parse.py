"""Inbound webhooks, read: who proved to have sent these bytes, and what they ask for. Pure.

Standard Webhooks (https://www.standardwebhooks.com, `v1` signatures), GitHub's `X-Hub-Signature-256`, and bearer
keys, which the hub itself proves. Whatever is malformed proves nothing: there is one answer to all of it.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

from core.clock import SECOND
from core.errors import Invalid, Unproven
from core.policy.expression import Expression
from core.world import Hook
from hub.contracts import Command

TOLERANCE_SECONDS = 300
"""How far the sender's clock may be from ours, either way."""

MOST_SIGNATURES = 8
_ID_LENGTH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A message whose sender is known: its once-key, or None when it has none, and the hash of its bytes."""

    message_id: str | None
    body_hash: bytes
    evidence: Mapping[str, str] = field(default_factory=dict)
    """What tells this message or its sender apart, for the log and receipts: an id, a hash, a key's prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a message asks for: a typed command, or a structured one."""

    text: str | None = None
    command: Command | None = None


def prove(hook: Hook, headers: Mapping[str, str], body: bytes, now_us: int) -> Proven:
    """The proof of a signed message. Raises Unproven `bad_signature` for anything that does not prove it."""
    try:
        if hook.verify == "standard-webhooks":
            return _standard(hook.secrets, headers, body, now_us // SECOND)
        if hook.verify == "github":
            return _github(hook.secrets, headers, body)
    except (ValueError, KeyError, UnicodeError):
        pass
    raise Unproven("bad_signature", "the signature is missing or wrong")


def body_hash(body: bytes) -> bytes:
    """SHA-256 of the bytes as received."""
    return hashlib.sha256(body).digest()


def _standard(secrets: tuple[str, ...], headers: Mapping[str, str], body: bytes, now: int) -> Proven:
    """The specification's check. Raises KeyError or ValueError for any way of failing it."""
    message_id, sent_at, given = headers["webhook-id"], headers["webhook-timestamp"], headers["webhook-signature"]
    if not 0 < len(message_id) <= _ID_LENGTH or not message_id.isascii() or not message_id.isprintable():
        raise ValueError("bad id")
    if len(sent_at) > 12 or not (sent_at.isascii() and sent_at.isdigit()):
        raise ValueError("bad timestamp")
    if abs(now - int(sent_at)) > TOLERANCE_SECONDS:
        raise ValueError("too old, or from the future")
    signatures = _signatures(given)
    signed = b"%b.%b.%b" % (message_id.encode(), sent_at.encode(), body)
    # Every pair is compared, so that the time says nothing about which of them fits.
    fits = False
    for secret in secrets:
        expected = authenticate(key_of(secret), signed)
        for signature in signatures:
            fits |= hmac.compare_digest(expected, signature)
    if not fits:
        raise ValueError("no signature fits")
    return Proven(message_id=message_id, body_hash=body_hash(body), evidence={"webhook_id": message_id})


def _signatures(given: str) -> list[bytes]:
    """The `v1` signatures of a header; those of versions we do not know are passed over."""
    parts = given.split(" ")
    if len(parts) > MOST_SIGNATURES:
        raise ValueError("too many signatures")
    found = []
    for part in parts:
        version, comma, text = part.partition(",")
        if not comma or not version or "," in text:
            raise ValueError("not a signature")
        if version == "v1":
            found.append(b64decode(text, validate=True))
    return found


def _github(secrets: tuple[str, ...], headers: Mapping[str, str], body: bytes) -> Proven:
    """GitHub signs the body alone, so the once-key is the body's hash. Raises KeyError or ValueError."""
    name, _, given = headers["x-hub-signature-256"].partition("=")
    signature = bytes.fromhex(given)
    if name != "sha256" or len(signature) != 32 or len(given) != 64:
        raise ValueError("not a signature")
    fits = False
    for secret in secrets:
        fits |= hmac.compare_digest(authenticate(secret.encode(), body), signature)
    if not fits:
        raise ValueError("no signature fits")
    hashed = body_hash(body)
    return Proven(message_id=f"sha256:{hashed.hex()}", body_hash=hashed, evidence={"sha256": hashed.hex()})


def authenticate(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256. A copy of a keyed object, because `hmac.digest` lets go of the interpreter for each message."""
    keyed = _keyed(key).copy()
    keyed.update(message)
    return keyed.digest()


@lru_cache(maxsize=256)
def _keyed(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")


@lru_cache(maxsize=256)
def key_of(secret: str) -> bytes:
    """The key of a Standard Webhooks secret: base64, after an optional `whsec_`; else its own bytes."""
    text = secret.removeprefix("whsec_")
    try:
        return b64decode(text, validate=True)
    except (BadBase64, ValueError):
        return text.encode()


def read(body: bytes) -> Any:
    """The JSON of a body. Raises Invalid `unreadable`."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid("unreadable", f"the body is not JSON: {str(error)[:200]}") from None


def asked_of(hook: Hook, body: Any, headers: Mapping[str, str]) -> Asked:
    """What the body asks for, by the hook's mapping or by its own words.

    Raises Invalid `unreadable` for a body that says neither, ExpressionFailed `policy_error` for one that the
    mapping cannot be applied to.
    """
    if hook.action is not None:
        return Asked(command=_mapped(hook, hook.action, body, headers))
    if not isinstance(body, dict):
        raise Invalid("unreadable", "the body must be an object")
    if set(body) == {"command"} and isinstance(body["command"], str):
        return Asked(text=body["command"])
    if "action" in body and set(body) <= {"action", "params", "reason"}:
        return Asked(command=Command(verb="request", args={"params": {}} | body))
    raise Invalid("unreadable", 'the body must be {"command": "…"} or {"action": "…", "params": {…}, "reason": "…"}')


def _mapped(hook: Hook, action: str, body: Any, headers: Mapping[str, str]) -> Command:
    variables = {"body": body, "headers": dict(headers)}
    args: dict[str, Any] = {
        "action": action,
        "params": {name: _value(source, variables) for name, source in hook.params.items()},
    }
    if hook.reason is not None:
        args["reason"] = _value(hook.reason, variables)
    return Command(verb="request", args=args)


def _value(source: str, variables: Mapping[str, Any]) -> Any:
    return Expression.compile(source, ("body", "headers")).evaluate(variables)
