"""The wire of the page: `/v1/ws`, its tickets, and the pages that a browser shows.

Neither CORS nor ordinary middleware runs on a WebSocket, so the Origin is checked here, before the handshake is
answered: exact for a cookie, and absent only with a bearer key or a ticket.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from adapters.websocket import render
from adapters.websocket.browsing import Browsing
from adapters.websocket.connection import Connection
from adapters.websocket.tickets import LIFE_SECONDS, Tickets
from core.errors import Refusal
from core.world import Channel
from hub.contracts import Adapter, Caller, Hub, Post, Powers

MOST_CONNECTIONS = 2_000
MOST_OF_ONE = 50
_LOOK_SECONDS = 1.0


class WebsocketAdapter:
    """The page at work. Its copies live only while somebody looks, so posting one shows it to all who do."""

    powers = Powers(address="page")

    def __init__(self, channel: Channel, hub: Hub) -> None:
        self._name = channel.name
        self._hub = hub
        self._tickets = Tickets(hub.clock)
        self._connections: set[Connection] = set()
        self._of: Counter[str] = Counter()
        self._pages = Browsing(hub, channel.name)

    def routes(self) -> list[BaseRoute]:
        return [
            WebSocketRoute("/v1/ws", self._connect, name="ws"),
            Route("/v1/ws-ticket", self._give_ticket, methods=["POST"], name="ws-ticket"),
            *self._pages.routes(),
        ]

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            for connection in self._connections:
                connection.end(1001, "the hub is stopping")
            await asyncio.gather(watch, return_exceptions=True)

    async def _watch(self) -> None:
        """End connections whose proof no longer stands, also those that say nothing."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for connection in tuple(self._connections):
                connection.look(loop.time())

    async def _connect(self, socket: WebSocket) -> None:
        caller = await self._admit(socket)
        if caller is None:
            return
        self._of[caller.principal] += 1
        try:
            await socket.accept()
            connection = Connection(socket, caller, self._hub, self._name)
            self._connections.add(connection)
            try:
                await connection.serve()
            finally:
                self._connections.discard(connection)
        finally:
            self._of[caller.principal] -= 1
            if not self._of[caller.principal]:
                del self._of[caller.principal]

    async def _admit(self, socket: WebSocket) -> Caller | None:
        """Who connects; None after a refusal, given before the handshake."""
        if not self._origin_fits(socket):
            self._hub.unproven(self._name, "bad_origin")
            await _refuse(socket, 403, "bad_origin", f"open the page at {self._hub.public_url}")
            return None
        caller = await self._prove(socket)
        if caller is None:
            self._hub.unproven(self._name, "not_signed_in")
            await _refuse(socket, 401, "not_signed_in", "sign in first, or send a key")
            return None
        if sum(self._of.values()) >= MOST_CONNECTIONS or self._of[caller.principal] >= MOST_OF_ONE:
            await _refuse(socket, 429, "too_many_connections", "too many connections are open")
            return None
        return caller

    def _origin_fits(self, socket: WebSocket) -> bool:
        origin = socket.headers.get("origin")
        if origin is None:
            return "authorization" in socket.headers or "ticket" in socket.query_params
        return origin in self._hub.origins(socket.headers.get("host"))

    async def _prove(self, socket: WebSocket) -> Caller | None:
        ticket = socket.query_params.get("ticket")
        if ticket is not None:
            caller = self._tickets.take(ticket)
            return caller if caller is not None and self._hub.valid(caller) else None
        return await self._hub.authenticate(proof_of(socket.headers))

    async def _give_ticket(self, request: Request) -> Response:
        """A ticket for whoever proves who they are, by key or by cookie from our own page."""
        origin = request.headers.get("origin")
        ours = origin in self._hub.origins(request.headers.get("host"))
        if not (ours or (origin is None and "authorization" in request.headers)):
            return _problem(403, "bad_origin", "ask from our own page, or with a key")
        caller = await self._hub.authenticate(proof_of(request.headers))
        if caller is None:
            self._hub.unproven(self._name, "not_signed_in")
            return _problem(401, "not_signed_in", "sign in first, or send a key")
        try:
            ticket = self._tickets.give(caller)
        except Refusal as refusal:
            return _problem(503, refusal.code, refusal.message)
        content = orjson.dumps({"ticket": ticket, "expires_in": int(LIFE_SECONDS)})
        return Response(content, 201, {"cache-control": "no-store"}, "application/json")

    @property
    def watched(self) -> bool:
        return any(connection.wants_cards for connection in self._connections)

    def picture(self, post: Post) -> None:
        if self.watched:
            frame = render.card_frame(post.card, post.approval)
            for connection in self._connections:
                connection.picture(post, frame)

    def tell(self, principal: str, text: str) -> None:
        for connection in self._connections:
            if connection.caller.principal == principal:
                connection.tell(text)

    async def post(self, post: Post) -> str:
        self.picture(post)
        return "page"

    async def update(self, reference: str, post: Post) -> str:
        self.picture(post)
        return reference

    def address_of(self, identities: Mapping[str, str], email: str | None) -> str | None:
        return None

    async def check(self) -> list[str]:
        return []


def adapter(channel: Channel, hub: Hub) -> Adapter:
    """The entry point `interlock.adapters: websocket`."""
    return WebsocketAdapter(channel, hub)


def proof_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that prove somebody: the key when there is one, else the cookie; never both."""
    for name in ("authorization", "cookie"):
        if name in headers:
            return {name: headers[name]}
    return {}


async def _refuse(socket: WebSocket, status: int, code: str, detail: str) -> None:
    """Refuse the handshake, with the reason where the server can give one."""
    if "websocket.http.response" in socket.scope.get("extensions", {}):
        await socket.send_denial_response(_problem(status, code, detail))
    else:
        await socket.close(1008, code)


def _problem(status: int, code: str, detail: str) -> Response:
    """An RFC 9457 problem."""
    content = orjson.dumps({"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail})
    return Response(content, status, media_type="application/problem+json")
