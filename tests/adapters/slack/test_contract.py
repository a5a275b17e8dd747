"""The Slack adapter keeps the promises of every adapter, over HTTP and over Socket Mode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hubs import until
from starlette.applications import Starlette
from workspace import APP_TOKEN, BOT, BOT_TOKEN, SECRET, TEAM, Workspace, send, workspace

from adapters.slack.adapter import SlackAdapter
from core.world import Channel
from hub.testing import LIVE, AdapterContract, Answer, Bench, RecordingHub, Seen


class SlackBench(Bench):
    """The adapter between a recording hub and our Slack."""

    adapter: SlackAdapter
    client: httpx.AsyncClient

    def __init__(self, far: Workspace) -> None:
        self.hub = RecordingHub(names={f"{TEAM}/U1": "ana"})
        self.far = far
        self.address = "#prod"

    async def deliver(self, payload: Mapping[str, Any]) -> Answer:
        """What the person is answered with; the acknowledgement itself is always empty and quick."""
        before = len(self.far.answers)
        response = await send(self.client, payload)
        assert response.status_code == 200 and response.text == ""
        await until(lambda: len(self.far.answers) > before)
        return self.answered(payload)

    def answered(self, payload: Mapping[str, Any]) -> Answer:
        words = self.far.answers[-1]["text"]
        codes = {
            "it has changed": "digest_stale",
            "this button is not ours": "unknown_press",
            "this id was used for another message": "idempotency_mismatch",
        }
        code = codes.get(words)
        return Answer(ok=words.startswith("done: "), code=code, text=words)

    async def say(self, text: str, message_id: str) -> Answer:
        return await self.deliver(self.far.command(text, trigger=message_id))

    async def say_unproven(self, text: str) -> Answer:
        response = await send(self.client, self.far.command(text), secret="another")
        return Answer(ok=response.is_success)

    async def press(self, token: str, message_id: str) -> Answer | None:
        button = {"action_id": "interlock.press.0", "value": token, "text": {"type": "plain_text", "text": "Approve"}}
        return await self.deliver(self.far.press(button, user="U1", trigger=message_id))

    async def seen(self) -> list[Seen]:
        cards = [each for each in self.far.cards() if each.private_to is None]
        return [Seen(text=each.words, tokens=tuple(t for t in each.tokens if t == LIVE)) for each in cards]

    async def echo(self) -> bool:
        last = self.far.messages[-1]
        own = {"type": "message", "channel": last.channel, "ts": last.ts, "text": last.text, "channel_type": "im"}
        for more in ({"bot_id": "B1", "user": BOT}, {"subtype": "bot_message", "bot_id": "B1"}):
            response = await send(self.client, self.far.event(**own, **more))
            assert response.status_code == 200
        return True

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        self.far.held = asyncio.Event()
        try:
            yield
        finally:
            self.far.held.set()


class TestSlackOverHttp(AdapterContract):
    @asynccontextmanager
    async def bench(self) -> AsyncIterator[SlackBench]:
        async with workspace() as far:
            bench = SlackBench(far)
            settings = {"bot_token": BOT_TOKEN, "signing_secret": SECRET, "api_url": far.api_url}
            bench.adapter = SlackAdapter(Channel(name="slack", adapter="slack", settings=settings), bench.hub)
            transport = httpx.ASGITransport(Starlette(routes=bench.adapter.routes()))
            async with bench.adapter.run(), httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
                bench.client = client
                yield bench


class SocketBench(SlackBench):
    """The same over a WebSocket that the adapter opened."""

    async def deliver(self, payload: Mapping[str, Any]) -> Answer:
        before = len(self.far.answers)
        kind = "slash_commands" if "command" in payload else "interactive"
        ack = await self.far.deliver(payload, kind, "e1")
        assert "payload" not in ack
        await until(lambda: len(self.far.answers) > before)
        return self.answered(payload)

    async def echo(self) -> bool:
        last = self.far.messages[-1]
        own = {"type": "message", "channel": last.channel, "ts": last.ts, "text": last.text, "channel_type": "im"}
        await self.far.deliver(self.far.event(**own, bot_id="B1", user=BOT), "events_api", "e2")
        return True


class TestSlackOverSocketMode(AdapterContract):
    @asynccontextmanager
    async def bench(self) -> AsyncIterator[SlackBench]:
        async with workspace() as far:
            bench = SocketBench(far)
            settings = {"bot_token": BOT_TOKEN, "app_token": APP_TOKEN, "api_url": far.api_url}
            bench.adapter = SlackAdapter(Channel(name="slack", adapter="slack", settings=settings), bench.hub)
            async with bench.adapter.run():
                await until(lambda: len(far.links) == 2)
                yield bench

    @pytest.mark.anyio
    async def test_an_unproven_message_is_counted_and_never_handed_over(self) -> None:
        """Nobody but Slack speaks on a connection that we opened to Slack: there is no other way in."""
        async with self.bench() as bench:
            assert bench.adapter.routes() == []
