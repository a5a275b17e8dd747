"""The server itself: TCP and the control socket, streams, and a graceful end. Real sockets."""

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from house import House

from core.errors import Unavailable
from hub.http import events
from hub.http.address import POINTER, SOCKET, socket_path
from hub.http.control import control_socket
from hub.http.serve import Settings, serve

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def served(house: House) -> AsyncIterator[tuple[str, asyncio.Event, asyncio.Task[None]]]:
    """The base address, what stops the server, and its task."""
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(
        serve(
            house.app,
            house.hub,
            Settings(port=0),
            stop=stop,
            started=lambda host, port: address.set_result(f"http://{host}:{port}"),
        )
    )
    try:
        yield await address, stop, running
    finally:
        stop.set()
        await running


def control(house: House) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(uds=str(socket_path(house.hub.data)))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def test_the_owner_of_the_data_administers_through_the_control_socket(house: House) -> None:
    async with served(house), control(house) as cli:
        mode = stat.S_IMODE((house.hub.data / SOCKET).stat().st_mode)
        assert mode == 0o600
        me = (await cli.get("/v1/me")).json()
        assert (me["id"], me["channel"], me["may_decide"]) == ("operator", "cli", False)
        assert {"keys", "audit"} <= set(me["rights"])
        made = await cli.post("/v1/keys", json={"principal": "bo"})
        assert made.status_code == 201
        link = (await cli.post("/v1/login-links", json={"principal": "bo"})).json()
        assert link["assurance"] == "signed_in"
        said = await cli.post("/v1/commands", json={"text": "status"})
        assert said.json()["ok"], said.text
        refused = await cli.post("/v1/commands", json={"text": "greet bob"})
        assert (refused.status_code, refused.json()["ok"]) == (200, False)
        assert (await cli.post("/v1/reload")).status_code == 200
    assert not (house.hub.data / SOCKET).exists()


async def test_nobody_is_identified_by_a_tcp_connection(house: House) -> None:
    async with served(house) as (base, _, _), httpx.AsyncClient(base_url=base) as http:
        assert (await http.get("/v1/me")).status_code == 401


async def test_a_command_of_a_run_gets_nothing_through_the_control_socket(house: House) -> None:
    asked = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "s.sendall(b'GET /v1/me HTTP/1.1\\r\\nhost: localhost\\r\\nconnection: close\\r\\n\\r\\n');"
        "print(s.makefile().read())"
    )
    async with served(house):
        said = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", asked, str(house.hub.data / SOCKET)],
            env={**os.environ, "INTERLOCK_RUN": "R1"},
            capture_output=True,
            text=True,
            timeout=20,
        )
    assert "403 Forbidden" in said.stdout, said
    assert "from_run" in said.stdout


async def test_a_long_path_gets_a_short_socket_and_a_file_that_says_where(tmp_path: Path) -> None:
    data = tmp_path / ("x" * 100)
    data.mkdir()
    with control_socket(data) as listening:
        path = socket_path(data)
        assert len(str(path)) < 100
        assert listening.getsockname() == str(path)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert (data / POINTER).exists()
    assert not path.parent.exists()
    assert not (data / POINTER).exists()


async def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / SOCKET))
    left.close()
    with control_socket(tmp_path):
        assert (tmp_path / SOCKET).exists()


async def test_a_port_that_is_taken_is_said(house: House) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(Unavailable) as refused:
            await serve(house.app, house.hub, Settings(port=other.getsockname()[1]))
    assert refused.value.code == "address_in_use"


async def frames(response: httpx.Response, count: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            found.append(json.loads(line[6:]))
            if len(found) == count:
                break
    return found


async def test_a_stream_goes_on_after_the_last_event_that_its_reader_has(house: House) -> None:
    bearer = {"authorization": f"Bearer {await house.key('bo')}"}
    async with served(house) as (base, _, _), httpx.AsyncClient(base_url=base, headers=bearer) as http:
        async with http.stream("GET", "/v1/events/tail?after=0") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            first = await frames(stream, 2)
        assert [each["seq"] for each in first] == [1, 2]
        async with http.stream("GET", "/v1/events/tail", headers={"last-event-id": "2"}) as stream:
            reading = asyncio.create_task(frames(stream, 3))
            await house.write(lambda tx: tx.record("lease:renewed", actor="bot", subject="L1"))
            await house.write(lambda tx: tx.record("lease:renewed", actor="bot", subject="L1"))
            async with asyncio.timeout(5):
                assert [each["seq"] for each in await reading] == [3, 4, 5]


async def test_a_quiet_stream_gives_signs_of_life(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.01)
    bearer = {"authorization": f"Bearer {await house.key('bo')}"}
    async with (
        served(house) as (base, _, _),
        httpx.AsyncClient(base_url=base, headers=bearer) as http,
        http.stream("GET", "/v1/events/tail") as stream,
        asyncio.timeout(5),
    ):
        lines = stream.aiter_lines()
        assert [await anext(lines) for _ in range(4)] == [": connected", "", ": here", ""]


async def test_a_stream_ends_when_its_reader_is_no_longer_let_in(house: House) -> None:
    key = await house.key("bo")
    async with (
        served(house) as (base, _, _),
        httpx.AsyncClient(base_url=base, headers={"authorization": f"Bearer {key}"}) as http,
        http.stream("GET", "/v1/events/tail") as stream,
    ):
        lines = stream.aiter_lines()
        await anext(lines)
        await house.ask("ana", "DELETE", f"/v1/keys/{key[4:12]}")
        async with asyncio.timeout(5):
            rest = [line async for line in lines]
    assert any("session_ended" in line for line in rest)
    assert not any("key:revoked" in line for line in rest)


async def test_a_reader_that_goes_away_is_forgotten(house: House) -> None:
    bearer = {"authorization": f"Bearer {await house.key('bo')}"}
    async with served(house) as (base, _, _), httpx.AsyncClient(base_url=base, headers=bearer) as http:
        async with http.stream("GET", "/v1/events/tail") as stream:
            await anext(stream.aiter_lines())
            async with asyncio.timeout(5):
                while house.hub.feed.subscribers < 1:
                    await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            while house.hub.feed.subscribers:
                await asyncio.sleep(0.01)


async def test_a_reader_that_takes_nothing_is_dropped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SEND_SECONDS", 0.2)
    key = await house.key("bo")
    async with served(house) as (base, _, _):
        host, port = base.removeprefix("http://").split(":")
        with socket.socket() as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            lazy.connect((host, int(port)))
            lazy.sendall(
                f"GET /v1/events/tail HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\r\n".encode()
            )
            async with asyncio.timeout(20):
                while house.hub.feed.subscribers < 1:
                    await asyncio.sleep(0.01)
                text = "x" * 4_000
                while house.hub.feed.subscribers:
                    for _ in range(50):
                        await house.write(
                            lambda tx: tx.record("lease:renewed", actor="bot", subject="L1", private={"purpose": text})
                        )


async def test_stopping_ends_streams_and_long_polls_at_once(house: House) -> None:
    approval = await house.review()
    bearer = {"authorization": f"Bearer {await house.key('bo')}"}
    async with (
        served(house) as (base, stop, running),
        httpx.AsyncClient(base_url=base, headers=bearer) as http,
        http.stream("GET", "/v1/events/tail") as stream,
    ):
        waiting = asyncio.create_task(http.get(f"/v1/approvals/{approval['id']}/wait?timeout=30"))
        while not house.hub.feed._watched or not house.hub.feed.subscribers:
            await asyncio.sleep(0.01)
        stop.set()
        async with asyncio.timeout(5):
            assert (await waiting).status_code == 200
            assert [line async for line in stream.aiter_lines()][-1:] in ([""], [])
            await running
