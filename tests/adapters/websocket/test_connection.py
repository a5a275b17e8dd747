"""Connections: who gets in, what is told to whom, and that no client makes memory grow."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest
from serving import serving
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from adapters.websocket import connection
from adapters.websocket.adapter import MOST_OF_ONE, WebsocketAdapter
from core.apply.printed import Printed
from core.clock import ManualClock
from core.people.assurance import Assurance
from core.world import Channel
from hub.contracts import Caller, News, Reply
from hub.testing import PUBLIC_URL, SAMPLE, RecordingHub, sample_card, sample_post

ANA = Caller(principal="ana", name="Ana Ruiz", kind="person", assurance=Assurance.SIGNED_IN, proof="session:ana")
BO = Caller(principal="bo", name="Bo Lind", kind="person", assurance=Assurance.CHAT, proof="key:bo")
BEARER = {"Authorization": "Bearer bo"}
COOKIE = {"Cookie": "interlock_session=ana"}


class Served:
    def __init__(self, port: int, hub: RecordingHub, adapter: WebsocketAdapter) -> None:
        self.port = port
        self.hub = hub
        self.adapter = adapter

    def connect(self, headers: dict[str, str] = BEARER, query: str = "", **more: Any) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}/v1/ws{query}", additional_headers=headers, **more)


@asynccontextmanager
async def served(**given: Any) -> AsyncIterator[Served]:
    hub = RecordingHub(callers={"Bearer bo": BO, "interlock_session=ana": ANA}, **given)
    adapter = WebsocketAdapter(Channel(name="page", adapter="websocket"), hub)
    async with serving(Starlette(routes=adapter.routes())) as port, adapter.run():
        yield Served(port, hub, adapter)


async def exchange(client: ClientConnection, frame: dict[str, Any] | str) -> dict[str, Any]:
    await client.send(frame if isinstance(frame, str) else orjson.dumps(frame).decode())
    async with asyncio.timeout(5):
        answer: dict[str, Any] = orjson.loads(await client.recv())
    return answer


async def refusal(attempt: Any) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refused:
        async with attempt:
            pass
    return refused.value.response.status_code, orjson.loads(refused.value.response.body or b"{}")["code"]


@pytest.mark.anyio
async def test_a_cookie_gets_in_from_our_own_page_alone() -> None:
    async with served() as at:
        async with at.connect(COOKIE, origin=PUBLIC_URL) as client:
            assert (await exchange(client, {"type": "ping"}))["type"] == "pong"
        for origin in ("https://evil.example", "null", PUBLIC_URL + ".evil.example", PUBLIC_URL.upper()):
            assert await refusal(at.connect(COOKIE, origin=origin)) == (403, "bad_origin")
        assert await refusal(at.connect(COOKIE)) == (403, "bad_origin")
        assert at.hub.inbounds == []
        assert at.hub.unproven_codes == ["bad_origin"] * 5


@pytest.mark.anyio
async def test_a_key_gets_in_without_an_origin_but_not_from_a_foreign_page() -> None:
    async with served() as at:
        async with at.connect(BEARER) as client:
            assert (await exchange(client, {"type": "ping"}))["type"] == "pong"
        assert await refusal(at.connect(BEARER, origin="https://evil.example")) == (403, "bad_origin")
        assert await refusal(at.connect({"Authorization": "Bearer nobody"})) == (401, "not_signed_in")
        assert await refusal(at.connect({**COOKIE, "Authorization": "Bearer nobody"})) == (401, "not_signed_in")


@pytest.mark.anyio
async def test_a_ticket_gets_in_once_and_only_for_half_a_minute() -> None:
    clock = ManualClock()
    async with served(clock=clock) as at, httpx.AsyncClient(base_url=f"http://127.0.0.1:{at.port}") as http:
        answer = await http.post("/v1/ws-ticket", headers=BEARER)
        assert answer.status_code == 201
        query = f"?ticket={answer.json()['ticket']}"
        async with at.connect({}, query) as client:
            assert (await exchange(client, {"type": "command", "id": 1, "text": "whoami"}))["ok"]
        assert at.hub.acted[0].sender.principal == "bo"
        assert await refusal(at.connect({}, query)) == (401, "not_signed_in")
        late = (await http.post("/v1/ws-ticket", headers=BEARER)).json()["ticket"]
        clock.advance(31)
        assert await refusal(at.connect({}, f"?ticket={late}")) == (401, "not_signed_in")
        assert await refusal(at.connect({}, "?ticket=made-up")) == (401, "not_signed_in")


@pytest.mark.anyio
async def test_a_ticket_is_given_only_to_whom_is_proved_from_our_own_page_or_by_a_key() -> None:
    async with served() as at, httpx.AsyncClient(base_url=f"http://127.0.0.1:{at.port}") as http:
        assert (await http.post("/v1/ws-ticket")).status_code == 403
        assert (await http.post("/v1/ws-ticket", headers={"Authorization": "Bearer nobody"})).status_code == 401
        assert (await http.post("/v1/ws-ticket", headers=COOKIE)).status_code == 403
        foreign = {**COOKIE, "Origin": "https://evil.example"}
        assert (await http.post("/v1/ws-ticket", headers=foreign)).status_code == 403
        assert (await http.post("/v1/ws-ticket", headers={**COOKIE, "Origin": PUBLIC_URL})).status_code == 201


@pytest.mark.anyio
async def test_the_ticket_of_a_key_revoked_meanwhile_is_worth_nothing() -> None:
    async with served() as at, httpx.AsyncClient(base_url=f"http://127.0.0.1:{at.port}") as http:
        ticket = (await http.post("/v1/ws-ticket", headers=BEARER)).json()["ticket"]
        at.hub.ended.add(BO.proof)
        assert await refusal(at.connect({}, f"?ticket={ticket}")) == (401, "not_signed_in")


@pytest.mark.anyio
async def test_a_command_is_handed_over_with_how_strongly_its_sender_is_proved() -> None:
    async with served() as at, at.connect(COOKIE, origin=PUBLIC_URL) as client:
        reply = await exchange(client, {"type": "command", "id": "c1", "text": "status"})
        assert reply["type"] == "reply" and reply["id"] == "c1" and reply["ok"]
        assert reply["card"]["buttons"][0]["choice"] == "approve"
        assert reply["approval"]["id"] == "A1"
        (inbound,) = at.hub.inbounds
        assert (inbound.channel, inbound.sender.principal, inbound.assurance) == ("page", "ana", Assurance.SIGNED_IN)
        assert inbound.message_id is None
        assert inbound.said_at_us


@pytest.mark.anyio
async def test_a_card_in_a_reply_counts_as_shown_once() -> None:
    async with served() as at, at.connect() as client:
        for number in range(3):
            await exchange(client, {"type": "command", "id": number, "text": "show A1"})
        assert at.hub.shown == [("A1", 1, "bo")]


@pytest.mark.anyio
async def test_a_bad_frame_gets_an_error_and_the_connection_goes_on() -> None:
    async with served() as at, at.connect() as client:
        for bad in ("nonsense", "[]", '{"type": "decide"}', '{"type": "command"}'):
            answer = await exchange(client, bad)
            assert (answer["type"], answer["code"]) == ("error", "bad_frame")
        await client.send(b"\x00\x01")
        assert orjson.loads(await client.recv())["code"] == "bad_frame"
        assert (await exchange(client, "x" * 70_000))["code"] == "too_large"
        assert (await exchange(client, {"type": "ping"}))["type"] == "pong"
        assert at.hub.inbounds == []


@pytest.mark.anyio
async def test_whoever_is_signed_out_is_told_so_at_the_next_frame_and_nothing_is_done() -> None:
    async with served() as at, at.connect() as client:
        await exchange(client, {"type": "ping"})
        at.hub.ended.add(BO.proof)
        await client.send('{"type": "command", "id": 1, "text": "status"}')
        assert orjson.loads(await asyncio.wait_for(client.recv(), 5))["code"] == "signed_out"
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(client.recv(), 5)
        assert client.close_code == 1008
        assert at.hub.inbounds == []


@pytest.mark.anyio
async def test_whoever_is_signed_out_and_says_nothing_is_closed_too() -> None:
    async with served() as at, at.connect() as client:
        await exchange(client, {"type": "ping"})
        at.hub.ended.add(BO.proof)
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(client.recv(), 5)
        assert client.close_code == 1008


@pytest.mark.anyio
async def test_a_subscriber_gets_the_log_in_order() -> None:
    async with served() as at, at.connect() as client:
        await client.send('{"type": "subscribe", "after": 0, "cards": "none"}')
        for seq in range(1, 501):
            at.hub.news.put_nowait(
                News(
                    seq=seq, ts="2026-01-01T00:00:00Z", event="approval:approved", actor="bo", subject="A1", details={}
                )
            )
        for seq in range(1, 501):
            frame = orjson.loads(await asyncio.wait_for(client.recv(), 5))
            assert (frame["type"], frame["seq"], frame["event"]) == ("event", seq, "approval:approved")
            assert set(frame) == {"type", "seq", "ts", "event", "actor", "subject", "channel", "details"}


@pytest.mark.anyio
async def test_cards_come_live_to_those_who_may_see_them() -> None:
    async with served() as at, at.connect() as bo, at.connect(COOKIE, origin=PUBLIC_URL) as ana:
        for client in (bo, ana):
            await client.send('{"type": "subscribe"}')
            await exchange(client, {"type": "ping"})
        at.adapter.picture(sample_post("", audience=frozenset({"ana"})))
        at.adapter.picture(sample_post("", card=sample_card(approval="A2"), approval={**SAMPLE, "id": "A2"}))
        assert orjson.loads(await ana.recv())["card"]["approval"] == "A1"
        assert orjson.loads(await ana.recv())["card"]["approval"] == "A2"
        assert orjson.loads(await bo.recv())["card"]["approval"] == "A2"


@pytest.mark.anyio
async def test_a_subscriber_may_have_what_is_open_first() -> None:
    replies = [
        Reply(ok=True, text="", card=sample_card(approval=f"A{n}"), approval={**SAMPLE, "id": f"A{n}"})
        for n in range(1, 4)
    ]
    async with served(open_cards=replies) as at, at.connect() as client:
        await client.send('{"type": "subscribe", "cards": "open"}')
        got = [orjson.loads(await asyncio.wait_for(client.recv(), 5))["card"]["approval"] for _ in range(3)]
        assert got == ["A1", "A2", "A3"]
        assert {each[0] for each in at.hub.shown} >= {"A1", "A2"}


async def heard(client: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(5):
        frame: dict[str, Any] = orjson.loads(await client.recv())
    return frame


@pytest.mark.anyio
async def test_what_a_run_prints_comes_as_it_is_printed_and_goes_on_where_a_reader_was() -> None:
    async with served() as at:
        printed = at.hub.printed["R9"] = Printed()
        printed.feed("one\n")
        async with at.connect() as client:
            first = await exchange(client, {"type": "watch", "id": 1, "run": "R9"})
            assert first == {
                "type": "output",
                "run": "R9",
                "offset": 0,
                "text": "one\n",
                "next": 4,
                "skipped": 0,
                "ended": False,
            }
            printed.feed("two\n")
            second = await heard(client)
        printed.feed("three\n")
        async with at.connect() as client:
            third = await exchange(client, {"type": "watch", "run": "R9", "offset": second["next"]})
            assert (second["text"], third["text"]) == ("two\n", "three\n")
            at.hub.over.add("R9")
            assert await heard(client) == {**third, "text": "", "offset": 14, "next": 14, "ended": True}


@pytest.mark.anyio
async def test_a_run_is_watched_once_and_until_told_otherwise() -> None:
    async with served() as at:
        printed = at.hub.printed["R9"] = Printed()
        printed.feed("0123")
        async with at.connect() as client:
            assert (await exchange(client, {"type": "watch", "run": "R9"}))["text"] == "0123"
            assert (await exchange(client, {"type": "watch", "run": "R9", "offset": 2}))["text"] == "23"
            printed.feed("4")
            assert (await heard(client))["text"] == "4"
            assert (await exchange(client, {"type": "ping"}))["type"] == "pong"
            await client.send('{"type": "unwatch", "run": "R9"}')
            assert (await exchange(client, {"type": "ping"}))["type"] == "pong"
            printed.feed("5")
            await asyncio.sleep(0.2)
            assert (await exchange(client, {"type": "ping"}))["type"] == "pong"


@pytest.mark.anyio
async def test_a_run_that_is_hidden_or_too_many_of_them_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST_WATCHED", 1)
    async with served() as at, at.connect() as client:
        at.hub.printed |= {"R1": Printed(), "R2": Printed()}
        refused = await exchange(client, {"type": "watch", "id": 7, "run": "R9"})
        assert (refused["type"], refused["id"], refused["code"]) == ("error", 7, "not_found")
        await client.send('{"type": "watch", "run": "R1"}')
        refused = await exchange(client, {"type": "watch", "id": 8, "run": "R2"})
        assert (refused["type"], refused["id"], refused["code"]) == ("error", 8, "too_many_watched")


@pytest.mark.anyio
async def test_a_reader_who_does_not_keep_up_is_told_how_much_it_missed_and_holds_one_stretch() -> None:
    async with served() as at:
        printed = at.hub.printed["R9"] = Printed(200_000)
        deaf = socket.create_connection(("127.0.0.1", at.port))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.to_thread(_shake_hands, deaf, b'{"type": "watch", "run": "R9"}')
        for _ in range(300):
            printed.feed("x" * 100_000)
            await asyncio.sleep(0)
        (one,) = at.adapter._connections
        assert len(one._out) <= 1
        deaf.close()
        async with at.connect() as client:
            first = await exchange(client, {"type": "watch", "run": "R9"})
            skipped = 0
            while first["next"] < printed.total:
                first = await heard(client)
                skipped += first["skipped"]
            assert skipped == printed.dropped == 29_800_000


@pytest.mark.anyio
async def test_somebody_can_be_told_something_that_is_no_card() -> None:
    async with served() as at, at.connect() as bo, at.connect(COOKIE, origin=PUBLIC_URL) as ana:
        await exchange(bo, {"type": "ping"})
        await exchange(ana, {"type": "ping"})
        at.adapter.tell("bo", "a key was made in your name")
        assert orjson.loads(await bo.recv()) == {"type": "notice", "text": "a key was made in your name"}
        assert (await exchange(ana, {"type": "ping"}))["type"] == "pong"


@pytest.mark.anyio
async def test_commands_run_side_by_side_and_at_most_so_many() -> None:
    async with served(reply_seconds=0.3) as at, at.connect() as client:
        for number in range(connection.AT_ONCE + 20):
            await client.send(orjson.dumps({"type": "command", "id": number, "text": "status"}).decode())
        await asyncio.sleep(0.15)
        assert len(at.hub.inbounds) == connection.AT_ONCE
        answered = {orjson.loads(await client.recv())["id"] for _ in range(connection.AT_ONCE + 20)}
        assert answered == set(range(connection.AT_ONCE + 20))


@pytest.mark.anyio
async def test_one_principal_has_only_so_many_connections() -> None:
    async with served() as at:
        open_ones = [await at.connect() for _ in range(MOST_OF_ONE)]
        try:
            assert await refusal(at.connect()) == (429, "too_many_connections")
            await open_ones.pop().close()
            await asyncio.sleep(0.1)
            async with at.connect() as client:
                assert (await exchange(client, {"type": "ping"}))["type"] == "pong"
        finally:
            await asyncio.gather(*(client.close() for client in open_ones))


@pytest.mark.anyio
async def test_a_client_that_does_not_read_is_closed_and_its_memory_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SLOW_SECONDS", 0.5)
    large = Reply(ok=True, text="", card=sample_card(claim="x" * 200_000), approval=SAMPLE)
    async with served() as at:
        deaf = socket.create_connection(("127.0.0.1", at.port))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.to_thread(_shake_hands, deaf)
        assert large.card is not None
        for number in range(2_000):
            at.adapter.picture(sample_post("", card=sample_card(approval=f"A{number % 200}", claim="x" * 200_000)))
            if not at.adapter.watched:
                break
        (one,) = at.adapter._connections
        assert len(one._cards) <= 200
        async with asyncio.timeout(10):
            while at.adapter._connections:
                await asyncio.sleep(0.05)
        deaf.close()


def _shake_hands(deaf: socket.socket, payload: bytes = b'{"type": "subscribe"}') -> None:
    """A client that asks for something, and never reads it."""
    deaf.sendall(
        b"GET /v1/ws HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        b"Authorization: Bearer bo\r\n\r\n"
    )
    assert b"101" in deaf.recv(1024)
    deaf.sendall(bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
    time.sleep(0.3)  # the subscription has no answer to wait for
