"""Outward webhooks: signed, once per version, and judged by what the receiver answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from serving import serving
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.webhook.adapter import WebhookAdapter
from core.world import Channel
from hub.contracts import DeliveryFailed
from hub.testing import LIVE, RecordingHub, decided_post, sample_card, sample_post

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


class Receiver:
    def __init__(self) -> None:
        self.messages: list[tuple[dict[str, str], bytes]] = []
        self.answer = Response(status_code=200)

    async def take(self, request: Request) -> Response:
        self.messages.append((dict(request.headers), await request.body()))
        return self.answer

    def body(self, at: int = -1) -> dict[str, Any]:
        body: dict[str, Any] = orjson.loads(self.messages[at][1])
        return body


@asynccontextmanager
async def outward(**settings: Any) -> AsyncIterator[tuple[WebhookAdapter, Receiver]]:
    receiver = Receiver()
    async with serving(Starlette(routes=[Route("/in", receiver.take, methods=["POST"])])) as port:
        given = {"url": f"http://127.0.0.1:{port}/in", "secret": SECRET, "allow_private": True} | settings
        adapter = WebhookAdapter(Channel(name="pager", adapter="webhook", settings=given), RecordingHub())
        async with adapter.run():
            yield adapter, receiver


@pytest.mark.anyio
async def test_the_message_is_signed_and_has_the_approval_and_its_buttons() -> None:
    async with outward() as (adapter, receiver):
        await adapter.post(sample_post("default"))
        headers, body = receiver.messages[0]
        Webhook(SECRET).verify(body, headers)
        message = orjson.loads(body)
        assert message["type"] == "approval.requested"
        assert message["timestamp"].endswith("Z")
        assert message["data"]["approval"]["id"] == "A1"
        assert message["data"]["buttons"][0] == {"label": "Approve", "choice": "approve", "token": LIVE}


@pytest.mark.anyio
async def test_each_of_two_secrets_signs() -> None:
    async with outward(secret=[SECRET, OLD_SECRET]) as (adapter, receiver):
        await adapter.post(sample_post("default"))
        headers, body = receiver.messages[0]
        Webhook(SECRET).verify(body, headers)
        Webhook(OLD_SECRET).verify(body, headers)


@pytest.mark.anyio
async def test_a_retry_is_the_same_message_and_an_update_another() -> None:
    async with outward() as (adapter, receiver):
        reference = await adapter.post(sample_post("default"))
        await adapter.post(sample_post("default"))
        await adapter.update(reference, decided_post("default"))
        ids = [headers["webhook-id"] for headers, _ in receiver.messages]
        assert ids[0] == ids[1] != ids[2]


@pytest.mark.anyio
async def test_updates_carry_the_new_approval_and_no_live_buttons() -> None:
    async with outward() as (adapter, receiver):
        reference = await adapter.post(sample_post("default"))
        partly = sample_post("default", event="approval:decided", key="key-2")
        await adapter.update(reference, partly)
        assert receiver.body()["type"] == "approval.decided"
        assert receiver.body()["data"]["buttons"] == []


@pytest.mark.anyio
async def test_a_new_revision_asks_anew_with_buttons_that_fit_it() -> None:
    async with outward() as (adapter, receiver):
        reference = await adapter.post(sample_post("default"))
        revised = sample_post("default", event="approval:reopened", card=sample_card(digest="e" * 64), key="key-2")
        reference = await adapter.update(reference, revised)
        assert len(receiver.body()["data"]["buttons"]) == 2
        await adapter.update(reference, revised)
        assert receiver.body()["data"]["buttons"] == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "permanent", "throttled"),
    [(410, True, False), (429, False, True), (500, False, False), (503, False, False), (404, False, False)],
)
async def test_the_receivers_answer_says_whether_to_try_again(status: int, permanent: bool, throttled: bool) -> None:
    async with outward() as (adapter, receiver):
        receiver.answer = Response(status_code=status, headers={"retry-after": "7"})
        with pytest.raises(DeliveryFailed) as failed:
            await adapter.post(sample_post("default"))
        assert (failed.value.permanent, failed.value.throttled) == (permanent, throttled)
        assert permanent or failed.value.retry_after_seconds == 7


@pytest.mark.anyio
@pytest.mark.parametrize("given", ["soon", "-5", "", "99999999999999999999"])
async def test_a_senseless_retry_after_does_no_harm(given: str) -> None:
    async with outward() as (adapter, receiver):
        receiver.answer = Response(status_code=503, headers={"retry-after": given})
        with pytest.raises(DeliveryFailed) as failed:
            await adapter.post(sample_post("default"))
        assert (failed.value.retry_after_seconds or 0) <= 3600


@pytest.mark.anyio
async def test_redirects_are_not_followed() -> None:
    async with outward() as (adapter, receiver):
        receiver.answer = Response(status_code=307, headers={"location": "/in"})
        with pytest.raises(DeliveryFailed) as failed:
            await adapter.post(sample_post("default"))
        assert failed.value.permanent
        assert len(receiver.messages) == 1


@pytest.mark.anyio
async def test_a_private_address_is_refused_for_good_unless_it_is_allowed() -> None:
    async with outward(allow_private=False) as (adapter, receiver):
        with pytest.raises(DeliveryFailed) as failed:
            await adapter.post(sample_post("default"))
        assert failed.value.permanent
        assert "not public" in str(failed.value)
        assert receiver.messages == []


@pytest.mark.anyio
async def test_nobody_there_is_tried_again() -> None:
    async with outward(url="http://127.0.0.1:1/in") as (adapter, _):
        with pytest.raises(DeliveryFailed) as failed:
            await adapter.post(sample_post("default"))
        assert not failed.value.permanent


@pytest.mark.anyio
async def test_the_doctor_says_what_is_unsafe() -> None:
    async with outward(secret=None, allow_private=False) as (adapter, _):
        problems = await adapter.check()
        assert any("no secret" in line for line in problems)
        assert any("https://" in line for line in problems)
