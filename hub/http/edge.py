"""What every request passes first: a request id, the host, readable path and query, the body limit, HEAD.

And what every response leaves with: the request id, security headers, a measured latency. Pure ASGI.
"""

from __future__ import annotations

import itertools
import logging
import re
import secrets
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import Invalid, Refusal, TooLarge
from hub.http.guard import HUB
from hub.http.hub import Hub
from hub.http.origin import demand_host
from hub.http.peer import Peer
from hub.http.problems import of_accident, of_http, of_refusal

BODY_LIMIT = 1_048_576

_PROCESS = secrets.token_hex(6)
_NUMBERS = itertools.count(1)
"""A request id names one request of one process; asking the kernel for randomness each time would cost more."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADERS: dict[bytes, bytes] = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cache-control": b"no-store",
}
_HSTS = (b"strict-transport-security", b"max-age=31536000")

logger = logging.getLogger("interlock.http")


class Edge:
    """The outermost application."""

    def __init__(self, app: ASGIApp, hub: Hub) -> None:
        self._app = app
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = _request_id(scope)
        scope[HUB] = self._hub
        # An embedding server may hand over a path that the application is mounted under; we are never mounted.
        scope["root_path"] = ""
        scope["app"] = self  # so that a route raises what it refuses, instead of answering in plain text
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=state["request_id"])
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await _Exchange(self._hub, scope, send).run(self._app, receive)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            demand_readable(scope, self._hub)
        except Refusal as refusal:
            self._hub.unproven("http", refusal.code)
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.code})
            return
        accepted = 0

        async def counted(message: Message) -> None:
            nonlocal accepted
            if message["type"] == "websocket.accept" and not accepted:
                accepted = 1
                self._hub.metrics.websockets(1)
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            self._hub.metrics.websockets(-accepted)


class _Exchange:
    """One HTTP request and its response."""

    def __init__(self, hub: Hub, scope: Scope, send: Send) -> None:
        self._hub = hub
        self._scope = scope
        self._send_on = send
        self._began = time.perf_counter()
        self._head = scope["method"] == "HEAD"
        self._started = False
        self._over = False
        self._taken = 0

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        if self._head:  # a copy: the server remembers by its own scope that it sends no body
            self._scope = {**self._scope, "method": "GET"}
        scope = self._scope
        try:
            demand_readable(scope, self._hub)
            announced_too_much = _announces_too_much(scope)

            async def limited() -> Message:
                # Raised here and not before, so that the refusal of a proven sender can be recorded.
                if announced_too_much:
                    raise _too_large()
                message = await receive()
                if message["type"] == "http.request":
                    self._taken += len(message.get("body", b""))
                    if self._taken > BODY_LIMIT:
                        raise _too_large()
                return message

            await app(scope, limited, self._send)
        except Refusal as refusal:
            self._hub.unproven("http", refusal.code)
            await self._give_up(of_refusal(refusal), receive)
        except HTTPException as error:
            await self._give_up(of_http(error), receive)
        except Exception:
            logger.exception("a request failed")
            await self._give_up(of_accident(scope["state"]["request_id"]), receive)

    async def _give_up(self, response: Response, receive: Receive) -> None:
        if not self._started:
            await response(self._scope, receive, self._send)

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            self._measure(message["status"])
            message = {**message, "headers": self._headers(message.get("headers", ()))}
        elif self._head:
            if self._over:
                return
            self._over = True
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send_on(message)

    def _headers(self, given: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        headers = list(given)
        present = {name.lower() for name, _ in headers}
        headers += [(name, value) for name, value in _HEADERS.items() if name not in present]
        if self._hub.public_url.startswith("https:"):
            headers.append(_HSTS)
        headers.append((b"x-request-id", self._scope["state"]["request_id"].encode()))
        return headers

    def _measure(self, status: int) -> None:
        route = getattr(self._scope.get("route"), "path", "none")
        method = self._scope["method"] if self._scope["method"] in _METHODS else "other"
        self._hub.metrics.http(method, route, status, time.perf_counter() - self._began)


def demand_readable(scope: Scope, hub: Hub) -> None:
    """Nothing, when the request is for this hub and its path and query are text. Raises Invalid."""
    if not isinstance(scope["state"].get("peer"), Peer):
        demand_host(Headers(scope=scope).get("host"), hub.public_url)
    path: str = scope["path"]
    query: bytes = scope.get("query_string", b"")
    if "\0" in path or b"%00" in query or b"\0" in query:
        raise Invalid("invalid_characters", "the address holds a NUL character")
    if "\ufffd" in path or not _is_text(scope.get("raw_path")):
        raise Invalid("not_utf8", "the address is not UTF-8")


def _is_text(raw_path: bytes | None) -> bool:
    if raw_path is None or b"%" not in raw_path:
        return True
    try:
        unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        return False
    return True


def _announces_too_much(scope: Scope) -> bool:
    return any(
        name == b"content-length" and (not value.isdigit() or int(value[:20]) > BODY_LIMIT)
        for name, value in scope["headers"]
    )


def _too_large() -> TooLarge:
    return TooLarge("too_large", f"a body has at most {BODY_LIMIT} bytes")


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            if _REQUEST_ID.fullmatch(given):
                return str(given)
    return f"{_PROCESS}-{next(_NUMBERS):x}"


async def _lifespan(receive: Receive, send: Send) -> None:
    """The hub's life is not the application's: whoever built it opens and closes it."""
    while True:
        message: Any = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return


def cookies_are_secure(public_url: str) -> bool:
    """Whether the public address is https, so that cookies may only travel so."""
    return urlsplit(public_url).scheme == "https"
