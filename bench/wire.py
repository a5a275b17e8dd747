"""A real hub in its own process, asked over the wire: commands over WebSocket, signed webhooks over HTTP/1.1."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.asyncio.client import connect

from bench.latency import summary
from bench.process import INTERLOCK, environ_of, hub_process
from config.init import write_sample

SECRET = base64.b64encode(b"bench" * 8).decode()
_HOOK = """
limits: {commands: 100000/s, burst: 100000}
hooks:
  bench: {verify: standard-webhooks, secret: "${env:BENCH_SECRET}", as: ci}
"""


def commands(connections: int, seconds: float) -> dict[str, float]:
    """`whoami` on so many WebSocket connections, each waiting for its answer: audited commands per second."""
    return asyncio.run(_measure(_commands, connections, seconds))


def webhooks(senders: int, seconds: float) -> dict[str, float]:
    """`whoami` as a signed webhook from so many senders on kept-alive connections."""
    return asyncio.run(_measure(_webhooks, senders, seconds))


Load = Callable[[int, float, int, str], Awaitable[list[float]]]


async def _measure(load: Load, count: int, seconds: float) -> dict[str, float]:
    with _hub() as (port, key):
        begun = time.perf_counter()
        latencies = await load(count, seconds, port, key)
        took = time.perf_counter() - begun
    return summary(latencies, took)


async def _commands(connections: int, seconds: float, port: int, key: str) -> list[float]:
    latencies: list[float] = []
    until = time.perf_counter() + seconds
    frame = json.dumps({"type": "command", "id": "1", "text": "whoami"})

    async def caller() -> None:
        headers = {"Authorization": f"Bearer {key}"}
        async with connect(f"ws://127.0.0.1:{port}/v1/ws", additional_headers=headers, compression=None) as ws:
            while (begun := time.perf_counter()) < until:
                await ws.send(frame)
                while True:
                    answer = json.loads(await ws.recv())
                    if answer["type"] == "reply":
                        break
                assert answer["ok"], answer
                latencies.append(time.perf_counter() - begun)

    await asyncio.gather(*(caller() for _ in range(connections)))
    return latencies


async def _webhooks(senders: int, seconds: float, port: int, key: str) -> list[float]:
    latencies: list[float] = []
    numbers = itertools.count()
    body = b'{"command":"whoami"}'
    until = time.perf_counter() + seconds
    run = os.urandom(4).hex()

    async def sender() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (begun := time.perf_counter()) < until:
            writer.write(_signed(f"msg_{run}{next(numbers)}", body))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            answer = await reader.readexactly(length)
            assert head.startswith(b"HTTP/1.1 200"), head + answer
            latencies.append(time.perf_counter() - begun)
        writer.close()

    await asyncio.gather(*(sender() for _ in range(senders)))
    return latencies


def _signed(message_id: str, body: bytes) -> bytes:
    """One request as Standard Webhooks signs it."""
    at = str(int(time.time()))
    signature = base64.b64encode(
        hmac.digest(base64.b64decode(SECRET), f"{message_id}.{at}.".encode() + body, hashlib.sha256)
    ).decode()
    head = (
        "POST /hooks/bench HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nwebhook-id: {message_id}\r\nwebhook-timestamp: {at}\r\n"
        f"webhook-signature: v1,{signature}\r\n\r\n"
    )
    return head.encode() + body


@contextmanager
def _hub() -> Iterator[tuple[int, str]]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_sample(root, user="nobody")
        config = root / "hub.yaml"
        config.write_text(config.read_text() + _HOOK)
        environ = environ_of(config, {"BENCH_SECRET": f"whsec_{SECRET}"})
        key = subprocess.run(
            [*INTERLOCK, "key", "create", "ana"], env=environ, check=True, capture_output=True, text=True
        ).stdout.split()[-1]
        with hub_process(environ) as url:
            yield int(url.rpartition(":")[2]), key
