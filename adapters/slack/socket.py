"""Socket Mode: two connections that this hub opens, each watched by us and opened again when it is silent.

Slack hands an event to any connection and waits for its acknowledgement on the same one. A connection that says
nothing for longer than Slack's own pings allow is dead, whatever the socket believes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

import aiohttp
import orjson

from adapters.slack.api import Api
from adapters.slack.parse import Heard
from hub.contracts import DeliveryFailed

logger = logging.getLogger("interlock.slack")

CONNECTIONS = 2
SILENT_SECONDS = 60.0
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
_FATAL_WAIT = 300.0
_MOST_BYTES = 4_194_304


class Taking(Protocol):
    """Whatever acknowledges a payload once it is durable."""

    async def take(self, body: dict[str, Any], *, mode: str) -> Any: ...


class Socket:
    """The connections of one app. `told` hears what is wrong, and None when nothing is."""

    def __init__(
        self,
        *,
        token: str,
        url: str | None,
        take: Taking,
        begin: Callable[[Heard], None],
        told: Callable[[str | None], None],
        silent_seconds: float = SILENT_SECONDS,
    ) -> None:
        self._token = token
        self._url = url
        self._take = take
        self._begin = begin
        self._told = told
        self._silent_seconds = silent_seconds
        self._open = 0

    async def run(self) -> None:
        """Both connections stand, or are being opened again, until cancelled."""
        async with Api(self._token, self._url) as api, asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._keep_open(api))

    async def _keep_open(self, api: Api) -> None:
        wait = _FIRST_WAIT
        while True:
            try:
                await self._connect(api)
                wait = _FIRST_WAIT
                continue  # it was asked to come back: at once
            except DeliveryFailed as failed:
                wait = _FATAL_WAIT if failed.permanent else max(wait, failed.retry_after_seconds or 0.0)
                self._lost(f"Socket Mode: {failed}")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self._lost(f"Socket Mode: the connection broke ({type(error).__name__})")
            except Exception:
                logger.exception("a Socket Mode connection failed")
                self._lost("Socket Mode: the connection failed")
            await asyncio.sleep(wait)
            wait = min(_LONGEST_WAIT, wait * 2)

    def _lost(self, why: str) -> None:
        if not self._open:
            self._told(why)
        logger.warning("%s", why)

    async def _connect(self, api: Api) -> None:
        """One connection, from its opening to a wish of Slack's that we come anew. Raises for every other end."""
        told = await api.call("apps.connections.open")
        async with api.session.ws_connect(str(told["url"]), max_msg_size=_MOST_BYTES, autoping=False) as socket:
            self._open += 1
            try:
                await self._listen(socket)
            finally:
                self._open -= 1

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Everything that arrives is acknowledged. Slack pings every few seconds, so silence is the end."""
        while True:
            async with asyncio.timeout(self._silent_seconds):
                frame = await self._next(socket)
            if frame is None:
                continue
            match frame.get("type"):
                case "hello":
                    self._told(None)
                case "disconnect":
                    if frame.get("reason") == "link_disabled":
                        raise DeliveryFailed("Socket Mode is switched off for this app (link_disabled)", permanent=True)
                    return
                case _ if "envelope_id" in frame:
                    await self._acknowledge(socket, frame)

    async def _next(self, socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any] | None:
        message = await socket.receive()
        if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED):
            raise aiohttp.ClientConnectionError("closed")
        if message.type == aiohttp.WSMsgType.ERROR:
            raise aiohttp.ClientConnectionError("broken")
        if message.type == aiohttp.WSMsgType.PING:
            await socket.pong(message.data)
            return None
        if message.type != aiohttp.WSMsgType.TEXT:
            return None
        try:
            frame = orjson.loads(message.data)
        except orjson.JSONDecodeError:
            return None
        return frame if isinstance(frame, dict) else None

    async def _acknowledge(self, socket: aiohttp.ClientWebSocketResponse, frame: dict[str, Any]) -> None:
        """Slack is told once it is durable; the work begins after that. What is not durable is sent again by Slack."""
        payload = frame.get("payload")
        if not isinstance(payload, dict):
            await socket.send_str(orjson.dumps({"envelope_id": frame["envelope_id"]}).decode())
            return
        done = await self._take.take(payload, mode="socket_mode")
        if done.status == 503:
            return
        answer: dict[str, Any] = {"envelope_id": frame["envelope_id"]}
        if frame.get("accepts_response_payload") and done.body:
            answer["payload"] = orjson.loads(done.body)
        await socket.send_str(orjson.dumps(answer).decode())
        if done.heard is not None:
            self._begin(done.heard)
