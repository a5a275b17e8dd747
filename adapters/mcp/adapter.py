"""The wire: `/mcp`, streamable HTTP with a key. Stateless: every request proves its caller, and none needs another.

The SDK takes a second to import, so it is loaded with the first request that proved who sends it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.mcp.tools import VERBS
from core.errors import StoreError
from core.world import Channel
from hub.contracts import Adapter, Caller, Command, Hub, Inbound, Post, Powers, Reply, Sender

if TYPE_CHECKING:
    from mcp_types import CallToolResult

_CALLER = "interlock.mcp.caller"
_LOOK_AGAIN_SECONDS = 1.0
"""How long no news is believed to be none: a place in the queue is no subject of the log."""


class McpAdapter:
    """The tools of every hub. It shows no cards: what an agent wants to know it asks."""

    powers = Powers(buttons=False, edit=False)

    def __init__(self, channel: Channel, hub: Hub) -> None:
        self._name = channel.name
        self._hub = hub
        self._stack = AsyncExitStack()
        self._loading = asyncio.Lock()
        self._app: ASGIApp | None = None

    def routes(self) -> list[BaseRoute]:
        return [Route("/mcp", _Door(self), methods=["POST"], name="mcp")]

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._ending = asyncio.Event()
            try:
                yield
            finally:
                self._ending.set()
                self._app = None

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of somebody who proves who they are; a browser's page is refused."""
        request = Request(scope)
        if request.method != "POST":  # nothing is said here that nobody asked for, and there is no session to end
            return await Response(status_code=405, headers={"allow": "POST"})(scope, receive, send)
        if "origin" in request.headers:
            self._hub.unproven(self._name, "bad_origin")
            return await _problem(403, "bad_origin", "no page of a browser may use this")(scope, receive, send)
        headers = {"authorization": request.headers["authorization"]} if "authorization" in request.headers else {}
        caller = await self._hub.authenticate(headers) if headers else None
        if caller is None:
            self._hub.unproven(self._name, "not_signed_in")
            return await _problem(401, "not_signed_in", "send `Authorization: Bearer` with a key")(scope, receive, send)
        app = await self._loaded()
        return await app({**scope, _CALLER: caller}, receive, send)

    async def _loaded(self) -> ASGIApp:
        async with self._loading:
            if self._app is None:
                build = await asyncio.to_thread(_sdk)
                ready: asyncio.Future[ASGIApp] = asyncio.get_running_loop().create_future()
                self._tasks.create_task(self._serving(build, ready))
                self._app = await ready
            return self._app

    async def _serving(self, build: Callable[[Any], Any], ready: asyncio.Future[ASGIApp]) -> None:
        """The SDK's own task, from the first request to the end of the hub."""
        manager = build(self._call)
        async with manager.run():
            ready.set_result(manager.handle_request)
            await self._ending.wait()

    async def _call(self, context: Any, name: str, arguments: dict[str, Any]) -> CallToolResult:
        from adapters.mcp.server import carry_out, refused

        talk = _Talk(self._hub, self._name, context.request.scope[_CALLER])
        try:
            return await carry_out(talk, name, arguments)
        except StoreError:
            return refused("store_failed", "the hub's database failed; nothing was done")

    async def post(self, post: Post) -> str:
        return "mcp"

    async def update(self, reference: str, post: Post) -> str:
        return reference

    def address_of(self, identities: Mapping[str, str], email: str | None) -> str | None:
        return None

    async def check(self) -> list[str]:
        return []


class _Door:
    """The route's endpoint as an ASGI application, which a Route takes as it is."""

    def __init__(self, adapter: McpAdapter) -> None:
        self._adapter = adapter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._adapter.serve(scope, receive, send)


class _Talk:
    """The hub as one caller speaks with it. Whatever the key allows elsewhere, nothing is decided from here."""

    def __init__(self, hub: Hub, channel: str, caller: Caller) -> None:
        self._hub = hub
        self._channel = channel
        self._caller = caller

    async def act(self, verb: str, args: Mapping[str, Any], *, key: str | None = None) -> Reply:
        if verb not in VERBS:
            return Reply(ok=False, code="not_allowed", text=f"no tool may {verb}")
        body = orjson.dumps([verb, args], option=orjson.OPT_SORT_KEYS)
        return await self._hub.handle(
            Inbound(
                channel=self._channel,
                sender=Sender(principal=self._caller.principal),
                assurance=self._caller.assurance,
                may_decide=False,
                evidence=self._caller.evidence,
                message_id=key,
                body_hash=hashlib.sha256(body).digest(),
                command=Command(verb=verb, args=args),
            )
        )

    async def card(self, approval: str) -> Reply:
        return await self._hub.card(self._caller, approval)

    async def watch(self, subject: str, seconds: float, look: Callable[[], Awaitable[tuple[bool, Reply]]]) -> Reply:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            head = self._hub.head
            done, reply = await look()
            left = deadline - loop.time()
            if done or left <= 0 or not self._hub.valid(self._caller):
                return reply
            await self._news(head, subject, min(left, _LOOK_AGAIN_SECONDS))

    async def _news(self, after: int, subject: str, seconds: float) -> None:
        """Return once there is news of `subject`, or the time is over."""
        try:
            async with asyncio.timeout(seconds), aclosing(self._hub.follow(self._caller, after=after)) as news:  # type: ignore[type-var]
                async for each in news:
                    if each.subject == subject:
                        return
        except TimeoutError:
            return


def _sdk() -> Callable[[Any], Any]:
    """What makes the session manager over a tool's call."""
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from adapters.mcp.server import server

    return lambda call: StreamableHTTPSessionManager(server(call), stateless=True, json_response=True)


def adapter(channel: Channel, hub: Hub) -> Adapter:
    """The entry point `interlock.adapters: mcp`."""
    return McpAdapter(channel, hub)


def _problem(status: int, code: str, detail: str) -> Response:
    """An RFC 9457 problem."""
    content = orjson.dumps({"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail})
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    return Response(content, status, headers, media_type="application/problem+json")
