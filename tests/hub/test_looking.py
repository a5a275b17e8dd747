"""Verbs that only look are read beside the writer; that they were asked, and what was answered, is kept as ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from house import House, housed

from commands import reading
from commands.registry import Registry
from commands.verb import Args, Permission, Verb
from core.people.assurance import Assurance
from hub.contracts import Inbound, Sender

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with housed(tmp_path) as built:
        yield built


def inbound(text: str, message: str | None = None) -> Inbound:
    return Inbound(
        channel="test",
        sender=Sender(principal="ana"),
        assurance=Assurance.CHAT,
        text=text,
        message_id=message,
        body_hash=text.encode(),
    )


async def said(house: House, event: str) -> list[dict[str, Any]]:
    return [each for each in await house.events() if each["event"] == event and each["actor"] == "ana"]


async def test_a_list_holds_up_no_decision(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = await house.review()
    begun, go_on = asyncio.Event(), threading.Event()
    loop, listing = asyncio.get_running_loop(), reading.listing

    def slow(*args: Any, **named: Any) -> Any:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(20)
        return listing(*args, **named)

    monkeypatch.setattr(reading, "listing", slow)
    looking = asyncio.create_task(house.hub.handle(inbound("queue")))
    async with asyncio.timeout(20):
        await begun.wait()
        decided = await house.ask("ana", "POST", f"/v1/approvals/{seen['id']}/approve", {"digest": seen["digest"]})
        assert (decided.status_code, looking.done()) == (200, False)
        go_on.set()
        assert (await looking).ok


async def test_the_same_message_again_is_answered_with_the_first_list_and_recorded_once(house: House) -> None:
    first = await house.hub.handle(inbound("queue all", "m1"))
    await house.review()
    again = await house.hub.handle(inbound("queue all", "m1"))
    other = await house.hub.handle(inbound("queue all", "m2"))
    assert (again.text, again.repeated) == (first.text, True)
    assert "A1" in other.text and "A1" not in first.text
    asked = [each for each in await said(house, "command:received") if each["details"]["verb"] == "queue"]
    assert len(asked) == 2


async def test_a_look_that_is_refused_is_recorded_and_refused_again_alike(house: House) -> None:
    first = await house.hub.handle(inbound("who A1", "m1"))
    await house.review()
    again = await house.hub.handle(inbound("who A1", "m1"))
    assert (first.ok, first.code) == (False, "not_found")
    assert (again.ok, again.code, again.text) == (False, "not_found", first.text)
    assert [each["details"]["code"] for each in await said(house, "command:refused")] == ["not_found"]
    assert (await house.hub.handle(inbound("who A2", "m1"))).code == "idempotency_mismatch"


def test_a_verb_either_does_something_or_looks() -> None:
    given: dict[str, Any] = {"args": Args, "permission": Permission.READ, "usage": "x", "summary": "X."}
    for more in ({}, {"run": print, "look": print}):
        with pytest.raises(ValueError, match="either run or look"):
            Registry([Verb(name="x", **given, **more)])
