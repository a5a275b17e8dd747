"""The wire of webhooks: `POST /hooks/{name}` inward, signed messages outward.

A channel with a `url` posts cards there. The one without, which the hub always has, serves the hooks of hub.yaml.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.webhook import parse, render
from adapters.webhook.parse import Asked, Proven
from core.errors import Forbidden, Refusal, StoreError, TooLarge, Unproven
from core.people.assurance import Assurance
from core.world import Channel, Hook
from hub.contracts import Adapter, DeliveryFailed, Hub, Inbound, Post, Powers, Reply, Sender

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger("interlock.webhook")

MOST_BYTES = 1_048_576
_TIMEOUT_SECONDS = 15.0


class WebhookAdapter:
    """One configured webhook channel, or the hub's hooks."""

    def __init__(self, channel: Channel, hub: Hub) -> None:
        self._channel = channel
        self._hub = hub
        self._url: str | None = channel.settings.get("url")
        secret = channel.settings.get("secret")
        self._secrets: tuple[str, ...] = (secret,) if isinstance(secret, str) else tuple(secret or ())
        self._client: httpx.AsyncClient | None = None
        self.powers = Powers(address="default" if self._url else None)

    def routes(self) -> list[BaseRoute]:
        return [] if self._url else [Route("/hooks/{name}", self._receive, methods=["POST"], name="hook")]

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        if self._url is None:
            yield
            return
        from core.net import safe_client  # only a channel that sends pays for the HTTP client

        private = bool(self._channel.settings.get("allow_private"))
        async with safe_client(allow_private=private, timeout_seconds=_TIMEOUT_SECONDS) as client:
            self._client = client
            try:
                yield
            finally:
                self._client = None

    async def _receive(self, request: Request) -> Response:
        """Answer one inbound message: proved first, then read, then handled."""
        name = request.path_params["name"]
        hook = self._hub.hook(name)
        if hook is None:
            return _problem(404, "not_found", "there is no such hook")
        try:
            body = await _body_of(request)
            headers = _headers_of(request)
            proven, sender, assurance, may_decide = await self._prove(hook, headers, body)
        except TooLarge as refusal:
            return _problem(413, refusal.code, refusal.message)
        except Unproven as refusal:
            self._hub.unproven(f"hook:{hook.name}", refusal.code)
            return _problem(401, refusal.code, refusal.message)
        inbound = Inbound(
            channel=f"hook:{hook.name}",
            sender=sender,
            assurance=assurance,
            message_id=proven.message_id,
            body_hash=proven.body_hash,
            may_decide=may_decide,
            evidence={"hook": hook.name, "verify": hook.verify, **proven.evidence},
        )
        try:
            try:
                if hook.triggers:
                    return _answer(await self._hub.hooked(inbound, hook, parse.read(body), headers))
                asked = parse.asked_of(hook, parse.read(body), headers)
            except Refusal as refusal:
                reply = await self._hub.refuse(inbound, refusal.code, refusal.message)
                return _problem(400, reply.code or refusal.code, reply.text)
            return _answer(await self._hub.handle(_asking(inbound, asked)))
        except StoreError:
            return _problem(503, "store_failed", "the hub's database failed; nothing was done", retry_after=5)

    async def _prove(
        self, hook: Hook, headers: Mapping[str, str], body: bytes
    ) -> tuple[Proven, Sender, Assurance, bool]:
        """Who sent it. Raises Unproven."""
        sender = Sender(principal=hook.principal)
        if hook.verify != "bearer":
            proven = parse.prove(hook, headers, body, self._hub.clock.wall_us())
            return proven, sender, Assurance.CHAT, True
        authorization = headers.get("authorization")
        caller = await self._hub.authenticate({"authorization": authorization}) if authorization else None
        if caller is None or caller.principal != hook.principal:
            raise Unproven("bad_signature", "the key is missing, wrong, or not that of this hook")
        message = headers.get("idempotency-key")
        proven = Proven(message_id=message, body_hash=parse.body_hash(body), evidence=caller.evidence)
        return proven, sender, caller.assurance, caller.may_decide

    async def post(self, post: Post) -> str:
        return await self._send(post, live=True)

    async def update(self, reference: str, post: Post) -> str:
        return await self._send(post, live=render.asks_anew(reference, post))

    async def _send(self, post: Post, *, live: bool) -> str:
        if self._client is None or self._url is None:
            raise DeliveryFailed("the channel is not open")
        import httpx

        now_us = self._hub.clock.wall_us()
        body = render.body_of(post, live=live, now_us=now_us)
        headers = render.headers_of(self._secrets, message_id=f"msg_{post.key}", body=body, now_us=now_us)
        try:
            async with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                _judge(answer)
        except Forbidden as refusal:
            raise DeliveryFailed(refusal.message, permanent=True) from refusal
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeliveryFailed(f"{type(error).__name__}: {error}") from error
        return render.reference_of(post)

    def address_of(self, identities: Mapping[str, str], email: str | None) -> str | None:
        return None

    async def check(self) -> list[str]:
        if self._url is None:
            return []
        problems = []
        if not self._secrets:
            problems.append(f"channels.{self._channel.name} has no secret, so nobody can tell that it is us: add one")
        if not self._url.startswith("https://") and not self._channel.settings.get("allow_private"):
            problems.append(f"channels.{self._channel.name} sends in the clear: use an https:// url")
        return problems


def adapter(channel: Channel, hub: Hub) -> Adapter:
    """The entry point `interlock.adapters: webhook`."""
    return WebhookAdapter(channel, hub)


def _asking(inbound: Inbound, asked: Asked) -> Inbound:
    return Inbound(
        channel=inbound.channel,
        sender=inbound.sender,
        assurance=inbound.assurance,
        message_id=inbound.message_id,
        body_hash=inbound.body_hash,
        may_decide=inbound.may_decide,
        evidence=inbound.evidence,
        text=asked.text,
        command=asked.command,
    )


async def _body_of(request: Request) -> bytes:
    """The bytes as received. Raises TooLarge before more than the bound is held, Unproven when the sender went away."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or len(length) > 12 or int(length) > MOST_BYTES:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MOST_BYTES:
                raise _too_large()
            parts.append(part)
    except ClientDisconnect:
        raise Unproven("bad_signature", "the message broke off") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large() -> TooLarge:
    return TooLarge("too_large", f"a message may have {MOST_BYTES:,} bytes")


def _headers_of(request: Request) -> dict[str, str]:
    """Header -> value, names in lower case; a repeated header's values are joined, so that no copy hides another."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in request.scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _judge(answer: httpx.Response) -> None:
    """Nothing, when the receiver took the message. Raises DeliveryFailed as its status says."""
    status = answer.status_code
    if 200 <= status < 300:
        return
    if status == 410:
        raise DeliveryFailed("the receiver says that it is gone for good (410)", permanent=True)
    if 300 <= status < 400:
        raise DeliveryFailed(f"the receiver answered with a redirect ({status}), which is not followed", permanent=True)
    raise DeliveryFailed(
        f"the receiver answered {status}",
        throttled=status == 429,
        retry_after_seconds=_retry_after(answer.headers.get("retry-after")),
    )


def _retry_after(text: str | None) -> float | None:
    """Seconds of a Retry-After header, at most an hour (RFC 9110 10.2.3); None for none or nonsense."""
    if text is None:
        return None
    try:
        if text.isdigit():
            seconds = float(text[:9])
        else:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(3600.0, max(0.0, seconds))


def _answer(reply: Reply) -> Response:
    """The reply as HTTP: 200 for whatever was handled, refused or not; what may be sent again has its own status."""
    if not reply.ok:
        wait = reply.data.get("retry_after_seconds")
        if wait is not None:
            return _problem(429, reply.code or "too_fast", reply.text, retry_after=wait)
        if reply.code == "idempotency_mismatch":
            return _problem(422, reply.code, reply.text)
    return Response(orjson.dumps(reply.as_json()), media_type="application/json")


def _problem(status: int, code: str, detail: str, *, retry_after: float | None = None) -> Response:
    """An RFC 9457 problem."""
    content = orjson.dumps({"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail})
    headers = {"retry-after": str(max(1, round(retry_after)))} if retry_after is not None else None
    return Response(content, status, headers, "application/problem+json")
