"""`interlock mcp`: the same tools over standard input and output, carried to a hub's `/mcp` one call at a time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult

from adapters.mcp.server import refused, server
from adapters.mcp.tools import LONGEST_WAIT_SECONDS

PATIENCE_SECONDS = 20.0
"""How long a hub that is being started again is waited for."""
_PAUSE_SECONDS = 0.5
_TIMEOUT = httpx2.Timeout(10.0, read=LONGEST_WAIT_SECONDS + 20.0)


class Relay:
    """One hub, as the holder of one key. No connection is kept, so a hub that was started again is simply found."""

    def __init__(self, url: str, key: str) -> None:
        self._url = f"{url}/mcp"
        self._headers = {"authorization": f"Bearer {key}"}

    async def run(self) -> None:
        """Until standard input ends."""
        serving = server(self.call)
        async with stdio_server() as (read, write):
            await serving.run(read, write, serving.create_initialization_options())

    async def call(self, context: Any, name: str, arguments: dict[str, Any]) -> CallToolResult:
        """What the hub answers; that it cannot be reached is an answer too."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return await self._call(name, arguments)
            except (Exception, BaseExceptionGroup) as error:
                causes = list(_causes(error))
                if not any(isinstance(each, httpx2.ConnectError) for each in causes):
                    return _failed(causes)
                if time.monotonic() >= until:
                    return refused("unreachable", f"no hub answers at {self._url}; nothing was sent")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _call(self, name: str, arguments: dict[str, Any]) -> CallToolResult:
        async with (
            httpx2.AsyncClient(headers=self._headers, timeout=_TIMEOUT, trust_env=False) as http,
            Client(streamable_http_client(self._url, http_client=http)) as client,
        ):
            result = await client.call_tool(name, arguments)
            assert isinstance(result, CallToolResult)
            return result


def _failed(causes: list[BaseException]) -> CallToolResult:
    for each in causes:
        if isinstance(each, httpx2.HTTPStatusError) and each.response.status_code == 401:
            return refused("not_signed_in", "the hub does not know this key; was it revoked?")
        if isinstance(each, MCPError):
            return refused("failed", str(each))
    return refused("interrupted", "the hub went away during the call; asking again under the same `key` acts once")


def _causes(error: BaseException) -> list[BaseException]:
    """The error and everything inside it."""
    found: list[BaseException] = [error]
    for each in found:
        if isinstance(each, BaseExceptionGroup):
            found += each.exceptions
        elif each.__cause__ is not None:
            found.append(each.__cause__)
    return found
