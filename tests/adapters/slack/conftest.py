from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hubs import Bench, make_hub, running, until
from workspace import APP_TOKEN, BOT_TOKEN, CLIENT_SECRET, SECRET, TEAM, Shown, Workspace, send, workspace

from adapters.slack.adapter import SlackAdapter, adapter
from hub.http.app import build_app

PEOPLE = f"""
people:
  ana: {{name: Ana Ruiz, slack: {TEAM}/U1, groups: [sre, admins]}}
  bo:  {{name: Bo Lind,  slack: {TEAM}/U2, groups: [sre]}}
  cai: {{name: Cai Wu,   slack: {TEAM}/U3, email: cai@example.com, groups: [sre]}}
"""


def policies(ask: str, count: int = 1) -> str:
    return f"policies:\n  - {{name: default, require: [{{group: sre, count: {count}}}], ask: [{ask}]}}\n"


@dataclass(kw_only=True)
class Office:
    """A whole hub, its HTTP application, and the Slack that it talks to."""

    bench: Bench
    far: Workspace
    client: httpx.AsyncClient

    @property
    def adapter(self) -> SlackAdapter:
        found: SlackAdapter = self.bench.hub.adapters["slack"]  # type: ignore[assignment]
        return found

    async def send(self, payload: dict[str, Any], **signing: Any) -> httpx.Response:
        return await send(self.client, payload, **signing)

    async def say(self, text: str, *, user: str = "U1", trigger: str = "t1", **more: Any) -> str:
        """The words that a command is answered with."""
        before = len(self.far.answers)
        response = await self.send(self.far.command(text, user=user, trigger=trigger, **more))
        assert (response.status_code, response.text) == (200, "")
        await until(lambda: len(self.far.answers) > before)
        return str(self.far.answers[-1]["text"])

    async def press(self, shown: Shown, label: str, **more: Any) -> str:
        """The words that a press is answered with, to the presser alone."""
        before = len(self.far.answers)
        response = await self.send(self.far.press(shown.button(label), shown, **more))
        assert (response.status_code, response.text) == (200, "")
        await until(lambda: len(self.far.answers) > before)
        answer = self.far.answers[before]
        assert answer["response_type"] == "ephemeral"
        return str(answer["text"])

    async def card(self, channel: str = "C1", text: str = "hello") -> Shown:
        """A new request's card as it stands in a channel, under review."""
        reply = await self.bench.ask("ana", "request", action="note", params={"text": text})
        assert reply.approval is not None, reply
        await self.bench.until_state(reply.approval["id"], "REVIEWING")
        await until(lambda: any(reply.approval["id"] in each.text for each in self.far.cards(channel)))
        return next(each for each in self.far.cards(channel) if reply.approval["id"] in each.text)


Open = Callable[..., AbstractAsyncContextManager[Office]]


@pytest.fixture
def office(tmp_path: Path) -> Open:
    """`async with office() as o`: settings of the channel and parts of hub.yaml may be given."""

    @asynccontextmanager
    async def opened(
        *,
        slack: str = "",
        socket: bool = False,
        far: Workspace | None = None,
        ask: str = '"slack:#prod"',
        count: int = 1,
        **given: Any,
    ) -> AsyncIterator[Office]:
        if far is None:
            async with (
                workspace() as made,
                opened(slack=slack, socket=socket, far=made, ask=ask, count=count, **given) as office,
            ):
                yield office
            return
        bot = given.pop("proof", 'bot_token: "${env:BOT}"')
        proof = f"app_token: {APP_TOKEN}" if socket else f"signing_secret: {SECRET}"
        proof = proof.replace(APP_TOKEN, '"${env:APP}"').replace(SECRET, '"${env:SECRET}"')
        given_keys = f'adapter: slack, {bot}, {proof}, api_url: "{far.api_url}"{slack}'
        channels = f"channels:\n  slack: {{{given_keys}}}\n"
        channels += given.pop("channels_more", "")
        environ = {"CLIENT": CLIENT_SECRET, "BOT": BOT_TOKEN, "APP": APP_TOKEN, "SECRET": SECRET}
        more = {"policies": policies(ask, count), "people": PEOPLE, "channels": channels, "environ": environ}
        hub = make_hub(tmp_path, **{**more, **given, "adapters": {"slack": adapter, **given.get("adapters", {})}})
        hub.delivery._draw = lambda: 0.0
        hub.delivery._poll_seconds = 0.05
        transport = httpx.ASGITransport(build_app(hub))
        async with (
            running(hub) as bench,
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
        ):
            yield Office(bench=bench, far=far, client=client)

    return opened
