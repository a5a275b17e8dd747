"""A call is made once, and its outcome is known, failed, or honestly unknown."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from core.apply.action import HttpSpec
from core.apply.deadline import Deadline
from core.apply.environment import RunMarks
from core.apply.http import HttpExit, call
from core.apply.template import HttpCall
from core.errors import Refusal

pytestmark = pytest.mark.anyio

Behave = Callable[["Peer"], Awaitable[None]]

MARKS = RunMarks(approval="A142", run="R9", fence=77)


class Peer:
    """One connection of a server that a test scripts."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = ""
        self.body = b""

    async def read(self) -> None:
        self.head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        for line in self.head.lower().split("\r\n"):
            if line.startswith("content-length:"):
                self.body = await self.reader.readexactly(int(line.split(":")[1]))

    async def answer(self, status: int, body: bytes = b"", *, length: int | None = None) -> None:
        size = len(body) if length is None else length
        self.writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n".encode() + body)
        await self.writer.drain()

    def header(self, name: str) -> str | None:
        for line in self.head.split("\r\n"):
            if line.lower().startswith(f"{name}:"):
                return line.split(":", 1)[1].strip()
        return None


class Server:
    def __init__(self, behave: Behave) -> None:
        self._behave = behave
        self.peers: list[Peer] = []
        self.port = 0
        self.asked = asyncio.Event()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        self.peers.append(peer)
        try:
            await peer.read()
            self.asked.set()
            await self._behave(peer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(behave: Behave) -> AsyncIterator[Server]:
    taken = Server(behave)
    server = await asyncio.start_server(taken.take, "127.0.0.1", 0)
    taken.port = server.sockets[0].getsockname()[1]
    try:
        yield taken
    finally:
        server.close()
        await server.wait_closed()


async def here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def asked(port: int, *, path: str = "/deploy", **options: Any) -> HttpExit:
    spec = HttpSpec(
        method=options.pop("method", "POST"),
        url="",
        allow_private=options.pop("allow_private", True),
        timeout_seconds=options.pop("timeout_seconds", 20.0),
    )
    rendered = HttpCall(
        method=spec.method,
        url=options.pop("url", f"http://hub.test:{port}{path}"),
        headers=options.pop("headers", {}),
        body=options.pop("body", None),
    )
    defaults = {"stop": asyncio.Event(), "lookup": here}
    return await call(rendered, spec, **(defaults | options))


def answering(status: int, body: bytes = b"said") -> Behave:
    return lambda peer: peer.answer(status, body)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((status, "completed") for status in (200, 201, 204, 299)),
        *((status, "failed") for status in (301, 302, 400, 404, 409, 429, 500, 503)),
        *((status, "unknown") for status in (502, 504)),
    ],
)
async def test_an_observed_status_decides(status: int, outcome: str) -> None:
    async with serving(answering(status, b"" if status == 204 else b"said")) as server:
        end = await asked(server.port)
    assert (end.outcome, end.status_code, end.sent) == (outcome, status, True)
    assert end.output == ("" if status == 204 else "said")
    assert str(status) in end.reason
    assert len(server.peers) == 1


async def test_a_run_says_who_it_is() -> None:
    async with serving(answering(200)) as server:
        await asked(server.port, marks=MARKS, body={"service": "wéb"}, headers={"Authorization": "Bearer t"})
    peer = server.peers[0]
    assert (peer.header("idempotency-key"), peer.header("interlock-fence")) == ("R9", "77")
    assert (peer.header("authorization"), peer.header("content-type")) == ("Bearer t", "application/json")
    assert json.loads(peer.body) == {"service": "wéb"}


async def test_a_preview_says_nothing_of_a_run() -> None:
    async with serving(answering(200)) as server:
        await asked(server.port, method="GET")
    assert server.peers[0].head.startswith("GET /deploy HTTP/1.1")
    assert server.peers[0].header("idempotency-key") is None
    assert server.peers[0].header("interlock-fence") is None
    assert server.peers[0].body == b""


async def test_a_text_body_goes_out_as_it_is() -> None:
    async with serving(answering(200)) as server:
        await asked(server.port, body="a=1&b=ü", headers={"Content-Type": "text/plain"})
    assert server.peers[0].body == "a=1&b=ü".encode()
    assert server.peers[0].header("content-type") == "text/plain"


async def test_a_connection_refused_means_that_nothing_happened() -> None:
    async with serving(answering(200)) as server:
        port = server.port
    end = await asked(port)
    assert (end.outcome, end.sent, end.status_code) == ("failed", False, None)


async def test_a_name_that_does_not_exist_means_that_nothing_happened() -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    end = await asked(1, lookup=nowhere)
    assert (end.outcome, end.sent) == ("failed", False)


async def drop(_: Peer) -> None: ...


async def hang(peer: Peer) -> None:
    await peer.reader.read()


async def break_off(peer: Peer) -> None:
    await peer.answer(200, b"half", length=100)


async def babble(peer: Peer) -> None:
    peer.writer.write(b"not http\r\n\r\n")
    await peer.writer.drain()


@pytest.mark.parametrize("behave", [drop, break_off, babble])
async def test_a_connection_lost_after_sending_is_unknown(behave: Behave) -> None:
    async with serving(behave) as server:
        end = await asked(server.port)
    assert (end.outcome, end.sent) == ("unknown", True)
    assert "after the request had been sent" in end.reason
    assert len(server.peers) == 1


async def test_a_timeout_after_sending_is_unknown() -> None:
    async with serving(hang) as server:
        end = await asked(server.port, timeout_seconds=0.3)
    assert (end.outcome, end.sent, end.status_code) == ("unknown", True, None)


async def test_a_timeout_before_sending_means_that_nothing_happened() -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    end = await asked(1, lookup=never, timeout_seconds=0.1)
    assert (end.outcome, end.sent) == ("failed", False)


async def test_stop_gives_a_call_up_at_once() -> None:
    stop = asyncio.Event()
    async with serving(hang) as server:
        calling = asyncio.create_task(asked(server.port, stop=stop))
        await server.asked.wait()
        began = time.monotonic()
        stop.set()
        end = await calling
    assert time.monotonic() - began < 2
    assert (end.outcome, end.sent) == ("unknown", True)
    assert "stopped" in end.reason


async def test_a_lost_lease_gives_a_call_up_and_a_heartbeat_keeps_it() -> None:
    deadline = Deadline(None)
    async with serving(hang) as server:
        calling = asyncio.create_task(asked(server.port, deadline=deadline))
        await server.asked.wait()
        deadline.move(time.monotonic() + 0.3)
        deadline.move(time.monotonic() + 0.6)
        await asyncio.sleep(0.4)
        assert not calling.done()
        end = await calling
    assert end.outcome == "unknown"
    assert "lease" in end.reason


@pytest.mark.parametrize(("lost", "code"), [(False, "stopped"), (True, "lease_lost")])
async def test_nothing_is_sent_for_a_run_that_is_over(lost: bool, code: str) -> None:
    stop = asyncio.Event()
    if not lost:
        stop.set()
    deadline = Deadline(time.monotonic() - 1 if lost else None)
    async with serving(answering(200)) as server:
        with pytest.raises(Refusal) as refused:
            await asked(server.port, stop=stop, deadline=deadline)
    assert refused.value.code == code
    assert server.peers == []


async def test_cancelling_closes_the_connection() -> None:
    closed = asyncio.Event()

    async def until_closed(peer: Peer) -> None:
        await peer.reader.read()
        closed.set()

    async with serving(until_closed) as server:
        calling = asyncio.create_task(asked(server.port))
        await server.asked.wait()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        async with asyncio.timeout(5):
            await closed.wait()


async def test_an_answer_is_read_up_to_the_limit() -> None:
    async def flood(peer: Peer) -> None:
        await peer.answer(200, length=1 << 40)
        while True:
            peer.writer.write(b"x" * 65_536)
            await peer.writer.drain()

    async with serving(flood) as server:
        end = await asked(server.port, output_limit=100_000)
    assert end.outcome == "completed"
    assert end.truncated_bytes > 0
    assert len(end.output) < 100_100


async def test_a_secret_that_comes_back_is_taken_out() -> None:
    async def echo(peer: Peer) -> None:
        await peer.answer(200, peer.head.encode())

    async with serving(echo) as server:
        end = await asked(server.port, headers={"Authorization": "Bearer hunter22"}, redact=["hunter22"])
    assert "authorization: Bearer •••" in end.output
    assert "hunter22" not in repr(end)


async def test_a_private_address_is_refused_and_nothing_sent() -> None:
    async with serving(answering(200)) as server:
        with pytest.raises(Refusal) as refused:
            await asked(server.port, allow_private=False)
    assert refused.value.code == "private_address"
    assert server.peers == []


@pytest.mark.parametrize(
    "url", ["ftp://hub.test/", "file:///etc/passwd", "http://", "//hub.test/", "http://a:b@hub.test/", "http://[/", "x"]
)
async def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(Refusal) as refused:
        await asked(1, url=url)
    assert refused.value.code == "bad_url"


@pytest.mark.parametrize(
    "headers",
    [
        *({"X": value} for value in ("a\r\nY: b", "a\nb", "ü", "a\0")),
        *({name: "a"} for name in ("", "X\r\n", "Host", "Idempotency-Key", "interlock-fence", "Transfer-Encoding")),
    ],
)
async def test_headers_that_would_deceive_are_refused(headers: dict[str, str]) -> None:
    async with serving(answering(200)) as server:
        with pytest.raises(Refusal) as refused:
            await asked(server.port, headers=headers)
    assert refused.value.code == "bad_header"
    assert server.peers == []
