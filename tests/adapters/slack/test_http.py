"""Requests to the hub's own server: proved over the raw bytes, acknowledged at once, never an error of ours."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from hubs import until
from workspace import BOT_TOKEN, SECRET, encoded, signed, workspace

from adapters.slack.settings import settings_of
from core.errors import Invalid
from core.world import Channel


@pytest.mark.anyio
async def test_a_command_is_acknowledged_empty_and_answered_to_the_one_who_typed(office: Any) -> None:
    async with office() as o:
        assert "note &lt;text&gt;" in await o.say("help")
        assert o.far.answers[-1]["response_type"] == "ephemeral"


@pytest.mark.anyio
@pytest.mark.parametrize("stamp", ["abc", "", "-1", "1e9", "99999999999999", "١٢٣"])
async def test_a_nonsense_time_is_unproven_and_no_error_of_ours(office: Any, stamp: str) -> None:
    async with office() as o:
        body, content_type = encoded(o.far.command("help"))
        headers = {"content-type": content_type, **signed(body, stamp=stamp)}
        raw = {name: value.encode() for name, value in headers.items()}
        response = await o.client.post("/slack/events", content=body, headers=raw)
        assert response.status_code == 401


@pytest.mark.anyio
@pytest.mark.parametrize("away", [-360, 360])
async def test_a_request_six_minutes_away_is_unproven(office: Any, away: int) -> None:
    async with office() as o:
        response = await o.send(o.far.command("help"), stamp=str(int(time.time()) + away))
        assert response.status_code == 401


@pytest.mark.anyio
async def test_a_wrong_a_missing_and_a_foreign_signature_are_unproven(office: Any) -> None:
    async with office() as o:
        body, content_type = encoded(o.far.command("help"))
        good = {"content-type": content_type, **signed(body)}
        for headers in (
            good | {"x-slack-signature": "v0=00"},
            good | {"x-slack-signature": "\u00ff".encode()},
            {name: value for name, value in good.items() if name != "x-slack-signature"},
            good | signed(body, secret="another"),
            good | signed(body + b" "),
        ):
            assert (await o.client.post("/slack/events", content=body, headers=headers)).status_code == 401
        ssl_check = await o.client.post("/slack/events", content=b"ssl_check=1&token=x", headers={})
        assert ssl_check.status_code == 401
        assert (await o.client.post("/slack/events", content=body, headers=good)).status_code == 200


@pytest.mark.anyio
async def test_the_address_is_verified_by_echo_only_when_signed(office: Any) -> None:
    async with office() as o:
        asked = {"type": "url_verification", "challenge": "3eZbrw1aB", "token": "old"}
        response = await o.send(asked)
        assert response.status_code == 200 and "3eZbrw1aB" in response.text
        assert (await o.send(asked, secret="another")).status_code == 401


@pytest.mark.anyio
async def test_too_much_is_refused_before_it_is_read_and_bytes_that_are_no_text_too(office: Any) -> None:
    async with office() as o:
        assert (await o.client.post("/slack/events", content=b"x" * 1_100_000)).status_code == 413
        body = b"\xff\xfe{"
        stamp = str(int(time.time()))
        import hashlib
        import hmac

        signature = hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={signature}"}
        assert (await o.client.post("/slack/events", content=body, headers=headers)).status_code == 400


@pytest.mark.anyio
@pytest.mark.parametrize(
    "payload",
    [
        {"type": "block_actions"},
        {"type": "block_actions", "user": {"id": "U1"}, "actions": []},
        {"type": "view_submission", "user": {"id": "U1"}, "view": {"callback_id": "interlock.reason"}},
        {"type": "view_closed", "user": {"id": "U1"}, "view": {"callback_id": "interlock.reason", "id": "V1"}},
        {"type": "event_callback", "event": {"type": "app_mention"}},
        {"type": "shortcut", "callback_id": "x", "user": {"id": "U1"}},
        {"type": "from_tomorrow"},
    ],
)
async def test_what_cannot_be_read_is_no_error_and_does_nothing(office: Any, payload: Mapping[str, Any]) -> None:
    async with office() as o:
        assert (await o.send(dict(payload))).status_code < 500
        await o.say("status")
        assert await o.bench.events("approval:") == []


@pytest.mark.anyio
async def test_nothing_calls_slack_before_the_acknowledgement(office: Any) -> None:
    async with office() as o:
        await until(lambda: o.far.times("auth.test") == 1)
        before = len(o.far.calls)
        heard = await o.adapter._listening.take(*_form(o.far.command("status")))
        assert (heard.status, heard.body) == (200, "") and heard.heard is not None
        heard = await o.adapter._listening.take(*_form(o.far.press({"action_id": "interlock.press.0", "value": "x"})))
        assert heard.status == 200 and len(o.far.calls) == before


def _form(payload: Mapping[str, Any]) -> tuple[str, ...]:
    return (encoded(payload)[0].decode(),)


@pytest.mark.anyio
async def test_what_was_acknowledged_is_done_once_after_a_restart(office: Any) -> None:
    async with workspace() as far:
        async with office(far=far) as o:
            body, content_type = encoded(far.command("note later"))
            done = await o.adapter._listening.take(body.decode(), content_type=content_type)
            assert done.status == 200 and far.answers == []  # acknowledged, and the process ends here
        async with office(far=far) as again:
            await until(lambda: len(far.answers) == 1)
            assert far.answers[0]["text"].startswith("A1")
            await until(lambda: _settled(again))
            assert await again.bench.events("approval:requested") == ["approval:requested"]


async def _settled(office: Any) -> bool:
    return await office.bench.hub.left_received("slack") == []


@pytest.mark.anyio
async def test_when_nothing_can_be_made_durable_slack_is_not_told_that_it_arrived(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.errors import StoreError

    async def broken(*_: Any) -> int:
        raise StoreError("disk full")

    async with office() as o:
        monkeypatch.setattr(o.bench.hub, "keep_received", broken)
        assert (await o.send(o.far.command("status"))).status_code == 503
        assert o.far.answers == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bot_token": BOT_TOKEN}, "signing_secret is missing"),
        ({"bot_token": BOT_TOKEN, "signing_secret": " "}, "signing_secret is empty"),
        ({"bot_token": "xoxp-1", "signing_secret": "s"}, "must be the bot's own"),
        ({"bot_token": BOT_TOKEN, "app_token": "xoxb-1"}, "must begin with xapp-"),
        ({"signing_secret": "s"}, "write either bot_token"),
        ({"bot_token": BOT_TOKEN, "signing_secret": "s", "colour": "red"}, "colour"),
    ],
)
def test_settings_that_cannot_work_are_refused_without_repeating_a_secret(settings: Any, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        settings_of(Channel(name="slack", adapter="slack", settings=settings))
    assert words in refused.value.message
    assert "xoxp-1" not in refused.value.message


@pytest.mark.anyio
async def test_what_arrives_again_while_it_is_done_is_answered_after_it_with_the_same(office: Any) -> None:
    async with office() as o:
        o.far.failures["users.info"] = [0.3]
        payload = o.far.command("note twice")
        for _ in range(3):
            assert (await o.send(payload)).status_code == 200
        await until(lambda: len(o.far.answers) == 3)
        assert len({each["text"] for each in o.far.answers}) == 1
        assert await o.bench.events("approval:requested") == ["approval:requested"]
