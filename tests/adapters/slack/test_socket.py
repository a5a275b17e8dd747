"""Socket Mode: two connections, each watched; what is acknowledged is durable, and a silent one is opened anew."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hubs import until
from workspace import APP_TOKEN, workspace

from adapters.slack.listening import Acknowledged
from adapters.slack.socket import Socket


class Taking:
    """Acknowledges everything."""

    status = 200

    async def take(self, body: dict[str, Any], *, mode: str) -> Acknowledged:
        assert mode == "socket_mode"
        return Acknowledged(status=self.status, body="", content_type="", heard=None)


class Bench:
    def __init__(self, far: Any, **more: Any) -> None:
        self.told: list[str | None] = []
        self.taking = Taking()
        self.socket = Socket(
            token=more.pop("token", APP_TOKEN),
            url=far.api_url,
            take=self.taking,
            begin=lambda heard: None,
            told=self.told.append,
            **more,
        )

    async def __aenter__(self) -> Bench:
        self.task = asyncio.create_task(self.socket.run())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.mark.anyio
async def test_a_dropped_connection_is_opened_anew_and_events_arrive_on_either() -> None:
    async with workspace() as far, Bench(far):
        await until(lambda: len(far.links) == 2)
        await far.deliver({"type": "x"}, "events_api", "e1", link=0)
        await far.deliver({"type": "x"}, "events_api", "e2", link=1)
        first = far.links[0]
        await first.close()
        await until(lambda: len(far.links) == 2 and first not in far.links)
        await far.deliver({"type": "x"}, "events_api", "e3", link=1)


@pytest.mark.anyio
async def test_a_connection_that_says_nothing_is_given_up_by_our_own_watch() -> None:
    async with workspace() as far, Bench(far, silent_seconds=0.3) as bench:
        await until(lambda: len(far.links) == 2)
        silent = list(far.links)
        await until(lambda: all(each not in far.links for each in silent) and len(far.links) >= 1)
        assert any(each and "broke" in each for each in bench.told)


@pytest.mark.anyio
async def test_slack_may_ask_us_to_come_anew() -> None:
    async with workspace() as far, Bench(far):
        await until(lambda: len(far.links) == 2)
        old = far.links[0]
        await old.send_json({"type": "disconnect", "reason": "refresh_requested"})
        await until(lambda: old not in far.links and len(far.links) == 2)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "frame", ["not json", "[]", "{}", '{"type": 7}', '{"type": "events_api", "envelope_id": "e9"}']
)
async def test_a_frame_that_nobody_knows_does_not_end_the_connection(frame: str) -> None:
    async with workspace() as far, Bench(far):
        await until(lambda: len(far.links) == 2)
        link = far.links[0]
        await link.send_text(frame)
        await far.deliver({"type": "x"}, "events_api", "e1", link=0)
        assert link in far.links


@pytest.mark.anyio
async def test_a_connection_that_cannot_be_opened_is_tried_again() -> None:
    async with workspace(refuse_links=3) as far, Bench(far) as bench:
        await until(lambda: len(far.links) == 2)
        assert bench.told[0] is not None and bench.told[-1] is None


@pytest.mark.anyio
async def test_a_fatal_reason_is_said_and_not_repeated_in_a_loop() -> None:
    async with workspace() as far, Bench(far) as bench:
        await until(lambda: len(far.links) == 2)
        for link in list(far.links):
            await link.send_json({"type": "disconnect", "reason": "link_disabled"})
        await until(lambda: any(each and "link_disabled" in each for each in bench.told))
        await until(lambda: far.links == [])
        opened = far.times("apps.connections.open")
        await asyncio.sleep(0.8)
        assert far.times("apps.connections.open") == opened == 2


@pytest.mark.anyio
async def test_a_wrong_token_is_said() -> None:
    async with workspace() as far, Bench(far, token="xapp-wrong") as bench:
        await until(lambda: bool(bench.told))
        assert "invalid_auth" in str(bench.told[0])


@pytest.mark.anyio
async def test_what_is_not_durable_is_not_acknowledged() -> None:
    async with workspace() as far, Bench(far) as bench:
        await until(lambda: len(far.links) == 2)
        bench.taking.status = 503
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await far.deliver({"type": "x"}, "events_api", "e1")


@pytest.mark.anyio
async def test_a_whole_decision_over_socket_mode_redelivered_on_the_other_connection(office: Any) -> None:
    async with office(socket=True) as o:
        await until(lambda: len(o.far.links) == 2)
        card = await o.card()
        press = o.far.press(card.button("Approve"), card, user="U2")
        assert "payload" not in await o.far.deliver(press, "interactive", "e1", link=0)
        await o.far.deliver(press, "interactive", "e1", link=1)
        await o.bench.until_state("A1", "COMPLETED")
        assert await o.bench.events("approval:decided") == ["approval:decided"]
        card = await o.card(text="two")
        await o.far.deliver(o.far.press(card.button("Reject"), card, user="U2", trigger="t2"), "interactive", "e2")
        await until(lambda: len(o.far.views) == 1)
        (name,) = o.far.views
        ack = await o.far.deliver(o.far.submit(name, "no"), "interactive", "e3")
        assert ack["payload"]["response_action"] == "update"
        await o.bench.until_state("A2", "REJECTED")
