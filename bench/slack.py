"""Slack in process: a signed press through the hub's own HTTP application to its acknowledgement, and a decision to
the last copy of its card, against a far side that answers at once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.latency import summary
from config.hub import build
from config.settings import read
from core.people.assurance import Assurance
from hub.contracts import Command, Inbound, Sender
from hub.http.app import build_app
from hub.hub import Hub

CLICKS_PER_SECOND = 50
COPIES = 5
_SECRET = "not-a-secret-at-all"
_HUB = """
version: 1
public_url: http://127.0.0.1:8000
limits: {{commands: 100000/s, burst: 100000}}
people:
  ana: {{name: Ana, slack: T1/U1, groups: [sre, admins]}}
  bo: {{name: Bo, slack: T1/U2, groups: [sre]}}
actions:
  note: {{title: "Note {{text}}", params: {{text: {{type: string}}}}, apply: {{command: ["true", "{{text}}"]}}}}
policies:
  - {{name: default, require: [{{group: sre, count: 1}}], ask: [{ask}]}}
channels:
  slack: {{adapter: slack, bot_token: "${{env:BOT}}", signing_secret: "${{env:SECRET}}", api_url: "{url}/api/"}}
"""


class Far:
    """A Slack that takes everything at once."""

    def __init__(self) -> None:
        self.shown: dict[str, str] = {}
        """Channel -> the newest text of its newest card."""
        self.url = ""

    async def method(self, request: Request) -> JSONResponse:
        body = await request.body()
        match request.path_params["method"]:
            case "auth.test":
                return JSONResponse({"ok": True, "team_id": "T1", "user_id": "UBOT"})
            case "users.info":
                return JSONResponse({"ok": True, "user": {"id": body.decode().partition("user=")[2], "team_id": "T1"}})
            case "conversations.info":
                return JSONResponse({"ok": True, "channel": {"id": "C", "name": "x", "is_member": True}})
        given = json.loads(body or b"{}")
        if "thread_ts" not in given:
            self.shown[given.get("channel", "")] = given.get("text", "")
        return JSONResponse({"ok": True, "channel": given.get("channel"), "ts": "1.1"})

    async def answer(self, request: Request) -> JSONResponse:
        await request.body()
        return JSONResponse({})


@asynccontextmanager
async def _setting() -> AsyncIterator[tuple[Hub, Far, httpx.AsyncClient]]:
    far = Far()
    app = Starlette(
        routes=[Route("/api/{method}", far.method, methods=["POST"]), Route("/r", far.answer, methods=["POST"])]
    )
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    far.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            ask = ", ".join(f'"slack:C{number}"' for number in range(COPIES))
            (root / "hub.yaml").write_text(_HUB.format(url=far.url, ask=ask))
            (root / "data").mkdir(mode=0o700)
            environ = {**os.environ, "BOT": "xoxb-bench", "SECRET": _SECRET}
            async with build(read(environ, config=root / "hub.yaml", data=root / "data")) as hub:
                transport = httpx.ASGITransport(build_app(hub))
                async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
                    yield hub, far, client
    finally:
        server.should_exit = True
        await serving
        listener.close()


def _click(far: Far, number: int) -> tuple[bytes, dict[str, str]]:
    """A signed press of a button, and its headers."""
    press = {
        "type": "block_actions",
        "user": {"id": "U2", "team_id": "T1"},
        "team": {"id": "T1"},
        "container": {"type": "message", "message_ts": "1.1", "channel_id": "C1"},
        "channel": {"id": "C1"},
        "trigger_id": f"t{number}",
        "response_url": f"{far.url}/r",
        "actions": [{"action_id": "interlock.press.0", "block_id": "A1:v1", "value": "x" * 40, "type": "button"}],
    }
    body = urlencode({"payload": json.dumps(press)}).encode()
    stamp = str(int(time.time()))
    signature = hmac.new(_SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return body, {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": f"v0={signature}",
    }


def _said(text: str) -> Inbound:
    return Inbound(channel="bench", sender=Sender(principal="ana"), assurance=Assurance.CHAT, text=text)


async def clicks(seconds: float, callers: int) -> dict[str, float]:
    """Milliseconds from a click to its acknowledgement, at 50 clicks a second, with `callers` busy beside them."""
    async with _setting() as (hub, far, client):
        latencies: list[float] = []
        over = asyncio.Event()

        async def caller() -> None:
            while not over.is_set():
                assert (await hub.handle(_said("whoami"))).ok

        async def click(number: int) -> None:
            body, headers = _click(far, number)
            begun = time.perf_counter()
            response = await client.post("/slack/events", content=body, headers=headers)
            assert response.status_code == 200, response.status_code
            latencies.append(time.perf_counter() - begun)

        busy = [asyncio.create_task(caller()) for _ in range(callers)]
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(int(seconds * CLICKS_PER_SECOND)):
                await asyncio.sleep(max(0.0, begun + number / CLICKS_PER_SECOND - time.perf_counter()))
                group.create_task(click(number))
        took = time.perf_counter() - begun
        over.set()
        await asyncio.gather(*busy)
    return summary(latencies, took)


async def copies(seconds: float) -> dict[str, float]:
    """Milliseconds from a decision to the last of five cards that shows it, one request after the other."""
    async with _setting() as (hub, far, _):
        latencies: list[float] = []
        began = time.perf_counter()
        for number in itertools.count(1):
            if time.perf_counter() - began > seconds and number > 10:
                break
            reply = await hub.handle(_said(f"note n{number}"))
            assert reply.approval is not None, reply
            name = reply.approval["id"]
            await _until(far, lambda text, name=name: text.startswith(f"{name}:"))
            asked: Any = (await hub.handle(_asked("show", {"id": name}))).approval
            begun = time.perf_counter()
            reply = await hub.handle(_asked("reject", {"ids": [name], "digest": asked["digest"], "comment": "no"}))
            assert reply.ok, reply
            await _until(far, lambda text, name=name: text.startswith(f"{name}:") and "Rejected" in text)
            latencies.append(time.perf_counter() - begun)
    return summary(latencies, sum(latencies))


def _asked(verb: str, args: dict[str, Any]) -> Inbound:
    command = Command(verb=verb, args=args)
    return Inbound(channel="bench", sender=Sender(principal="bo"), assurance=Assurance.CHAT, command=command)


async def _until(far: Far, holds: Any) -> None:
    async with asyncio.timeout(20):
        while not all(holds(far.shown.get(f"C{number}", "")) for number in range(COPIES)):
            await asyncio.sleep(0.002)
