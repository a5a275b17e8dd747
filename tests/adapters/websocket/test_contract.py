"""The page's adapter keeps the promises of every adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from serving import serving
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from adapters.websocket.adapter import WebsocketAdapter
from core.people.assurance import Assurance
from core.world import Channel
from hub.contracts import Caller
from hub.testing import AdapterContract, Answer, Bench, RecordingHub, Seen

BO = Caller(principal="bo", name="Bo Lind", kind="person", assurance=Assurance.CHAT, proof="key:bo")


class WebsocketBench(Bench):
    """A client on a real socket."""

    client: ClientConnection
    port: int

    def __init__(self) -> None:
        self.hub = RecordingHub(callers={"Bearer bo": BO})
        self.adapter = WebsocketAdapter(Channel(name="page", adapter="websocket"), self.hub)
        self.address = "page"
        self.cards: list[Seen] = []
        self.number = 0

    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/ws"

    async def frame(self, kind: str) -> dict[str, object]:
        """The next frame of that type; cards on the way are kept."""
        async with asyncio.timeout(5):
            while True:
                frame: dict[str, object] = orjson.loads(await self.client.recv())
                if frame["type"] == "card":
                    card = frame["card"]
                    assert isinstance(card, dict)
                    tokens = tuple(button["token"] for button in card["buttons"])
                    self.cards.append(Seen(text=f"{card['title']} {card['claim']} {card['summary']}", tokens=tokens))
                if frame["type"] == kind:
                    return frame

    async def ask(self, **frame: object) -> Answer:
        self.number += 1
        await self.client.send(orjson.dumps({"id": self.number, **frame}).decode())
        reply = await self.frame("reply")
        assert reply["id"] == self.number
        code = reply.get("code")
        return Answer(ok=bool(reply["ok"]), code=str(code) if code else None, text=str(reply["text"]))

    async def say(self, text: str, message_id: str) -> Answer:
        return await self.ask(type="command", text=text, key=message_id)

    async def press(self, token: str, message_id: str) -> Answer:
        return await self.ask(type="press", token=token)

    async def say_unproven(self, text: str) -> Answer:
        try:
            async with connect(self.url(), additional_headers={"Authorization": "Bearer nobody"}) as client:
                await client.send('{"type": "command", "id": 1, "text": "status"}')
                return Answer(ok=bool(orjson.loads(await client.recv()).get("ok")))
        except InvalidStatus as refused:
            return Answer(ok=False, code=orjson.loads(refused.response.body or b"{}").get("code"))

    async def seen(self) -> list[Seen]:
        await self.client.send('{"type": "ping"}')
        await self.frame("pong")
        if not self.cards:
            await self.frame("card")
        return self.cards[-1:]


class TestWebsocketAdapter(AdapterContract):
    @asynccontextmanager
    async def bench(self) -> AsyncIterator[Bench]:
        bench = WebsocketBench()
        headers = {"Authorization": "Bearer bo"}
        async with (
            serving(Starlette(routes=bench.adapter.routes())) as bench.port,
            bench.adapter.run(),
            connect(bench.url(), additional_headers=headers) as bench.client,
        ):
            await bench.client.send('{"type": "subscribe"}')
            await bench.client.send('{"type": "ping"}')
            await bench.frame("pong")
            yield bench
