"""Serving the application: one HTTP server over TCP and over the control socket, ended gracefully."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from core.errors import Unavailable
from hub.http.control import PeerProtocol, control_socket
from hub.http.hub import Hub

GRACE_SECONDS = 10
_MOST_WEBSOCKET_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where to listen. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 8000
    backlog: int = 1_024


class Server(uvicorn.Server):
    """A server that ends what waits for news before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub
        self.listening = asyncio.Event()
        """Set once connections are taken."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.feed.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever owns the process; `should_exit` ends the server."""
        yield


async def serve(
    app: ASGIApp,
    hub: Hub,
    settings: Settings,
    *,
    stop: asyncio.Event | None = None,
    started: Callable[[str, int], object] = lambda host, port: None,
) -> None:
    """Serve until `stop` is set. `started` is called with the address once connections are taken.

    Raises Unavailable (`address_in_use`) when the port is taken.
    """
    with ExitStack() as stack:
        tcp = stack.enter_context(_listen(settings))
        sockets = [tcp, stack.enter_context(control_socket(hub.data))]
        server = Server(_config(app, hub, settings), hub)
        running = asyncio.ensure_future(server.serve(sockets=sockets))
        listening = asyncio.ensure_future(server.listening.wait())
        stopping = asyncio.ensure_future((stop or asyncio.Event()).wait())
        try:
            await asyncio.wait((running, listening), return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                host, port = tcp.getsockname()[:2]
                started(host, port)
            await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            listening.cancel()
            stopping.cancel()
            server.should_exit = True
            await running


def _config(app: ASGIApp, hub: Hub, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="none",
        http=PeerProtocol,
        ws="websockets-sansio",
        ws_max_size=_MOST_WEBSOCKET_BYTES,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(hub.world.trusted_proxies),
        forwarded_allow_ips=list(hub.world.trusted_proxies),
        backlog=settings.backlog,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


@contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((settings.host, settings.port))
        except OSError as error:
            raise Unavailable(
                "address_in_use", f"cannot listen on {settings.host}:{settings.port}: {error.strerror}"
            ) from None
        listening.listen(settings.backlog)
        listening.setblocking(False)
        yield listening
    finally:
        listening.close()
