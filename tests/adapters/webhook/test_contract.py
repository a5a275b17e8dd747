"""The webhook adapter keeps the promises of every adapter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
from serving import serving
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.webhook.adapter import WebhookAdapter
from core.world import Channel, Hook
from hub.testing import AdapterContract, Answer, Bench, RecordingHub, Seen

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # not a secret


class WebhookBench(Bench):
    """The hooks behind an ASGI client, and a receiver on a real socket."""

    client: httpx.AsyncClient

    def __init__(self) -> None:
        self.hub = RecordingHub(
            hooks={"ops": Hook(name="ops", verify="standard-webhooks", principal="ci", secrets=(SECRET,))}
        )
        self.address = "default"
        self.received: list[dict[str, Any]] = []
        self.held: asyncio.Event | None = None

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        Webhook(SECRET).verify(body, dict(request.headers))
        if self.held is not None:
            await self.held.wait()
        self.received.append(orjson.loads(body))
        return Response(status_code=204)

    async def send(self, body: bytes, headers: dict[str, str]) -> Answer:
        response = await self.client.post("/hooks/ops", content=body, headers=headers)
        answer = response.json()
        return Answer(ok=response.is_success and answer["ok"], code=answer.get("code"), text=answer.get("text", ""))

    async def say(self, text: str, message_id: str) -> Answer:
        body = orjson.dumps({"command": text})
        now = datetime.now(UTC)
        signature = Webhook(SECRET).sign(message_id, now, body.decode())
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
        return await self.send(body, headers)

    async def say_unproven(self, text: str) -> Answer:
        headers = {
            "webhook-id": "m1",
            "webhook-timestamp": str(int(time.time())),
            "webhook-signature": "v1,bm90IGEgc2lnbmF0dXJl",
        }
        return await self.send(orjson.dumps({"command": text}), headers)

    async def seen(self) -> list[Seen]:
        return [
            Seen(
                text=f"{each['data']['approval']['title']} {each['data']['approval']['state']}",
                tokens=tuple(button["token"] for button in each["data"]["buttons"]),
            )
            for each in self.received
        ]

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        self.held = asyncio.Event()
        try:
            yield
        finally:
            self.held.set()


class TestWebhookAdapter(AdapterContract):
    @asynccontextmanager
    async def bench(self) -> AsyncIterator[Bench]:
        bench = WebhookBench()
        receiver = Starlette(routes=[Route("/in", bench.receive, methods=["POST"])])
        async with serving(receiver) as port:
            settings = {"url": f"http://127.0.0.1:{port}/in", "secret": SECRET, "allow_private": True}
            bench.adapter = WebhookAdapter(Channel(name="pager", adapter="webhook", settings=settings), bench.hub)
            hooks = WebhookAdapter(Channel(name="hooks", adapter="webhook"), bench.hub)
            transport = httpx.ASGITransport(Starlette(routes=hooks.routes()))
            async with (
                bench.adapter.run(),
                hooks.run(),
                httpx.AsyncClient(transport=transport, base_url="http://hub") as bench.client,
            ):
                yield bench
