"""Outward webhooks: the body and headers of one message, by Standard Webhooks. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable

import orjson

from adapters.webhook.parse import authenticate, key_of
from core.clock import SECOND, rfc3339
from hub.contracts import Post


def body_of(post: Post, *, live: bool, now_us: int) -> bytes:
    """`{type, timestamp, data: {approval, buttons}}`; without `live` no button can be pressed."""
    buttons = [
        {
            "label": button.label,
            "choice": button.choice,
            "token": button.token,
            **({"confirm": button.confirm} if button.confirm is not None else {}),
        }
        for button in post.card.buttons
        if live and button.token is not None
    ]
    return orjson.dumps(
        {
            "type": post.event.replace(":", "."),
            "timestamp": rfc3339(now_us),
            "data": {"approval": post.approval, "buttons": buttons, "url": post.card.url, "for": post.recipient},
        }
    )


def headers_of(secrets: Iterable[str], *, message_id: str, body: bytes, now_us: int) -> dict[str, str]:
    """The message's headers, signed with each of `secrets`."""
    at = str(now_us // SECOND)
    signed = b"%b.%b.%b" % (message_id.encode(), at.encode(), body)
    signatures = (b64encode(authenticate(key_of(secret), signed)).decode() for secret in secrets)
    return {
        "content-type": "application/json",
        "user-agent": "interlock",
        "webhook-id": message_id,
        "webhook-timestamp": at,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def reference_of(post: Post) -> str:
    """What an update needs to know of the message before it: which revision it showed."""
    return f"{post.card.digest or ''}/{post.key}"


def asks_anew(reference: str, post: Post) -> bool:
    """Whether `post` shows a revision that the message behind `reference` did not, so that it needs buttons."""
    return reference.partition("/")[0] != (post.card.digest or "")
