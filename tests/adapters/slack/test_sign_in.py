"""`login` in Slack: a link for the asker alone, once, as strong as a chat."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hubs import until
from workspace import TEAM

pytestmark = pytest.mark.anyio

LINK = re.compile(r"<(http://127\.0\.0\.1:8000/login/[\w-]{43})\|Sign in>")


def link_in(blocks: Any) -> str:
    found = LINK.search(str(blocks))
    assert found is not None, blocks
    return found[1]


async def signed_in(office: Any, url: str) -> Any:
    """Who a browser is that opens the link and presses its button."""
    page = await office.client.get(url)
    assert "came by chat" in page.text
    assert (await office.client.post(url)).status_code == 303
    return (await office.client.get("/v1/me")).json()


async def test_a_command_in_a_channel_is_answered_to_the_asker_alone(office: Any) -> None:
    async with office() as o:
        words = await o.say("login", user="U2")
        answer = o.far.answers[-1]
        assert answer["response_type"] == "ephemeral"
        assert "/login/" not in words, "a notification shows no link"
        me = await signed_in(o, link_in(answer["blocks"]))
        assert (me["id"], me["assurance"]) == ("bo", "chat")
        assert o.far.cards() == []
        assert await o.bench.events("login:") == ["login:created", "login:used"]


async def test_a_mention_in_a_channel_and_a_direct_message_are_private_too(office: Any) -> None:
    async with office() as o:
        mention = {"type": "app_mention", "user": "U2", "text": "<@UBOT> login", "channel": "C1", "ts": "1700000000.1"}
        await o.send(o.far.event("Ev1", **mention))
        await until(lambda: o.far.messages)
        (shown,) = o.far.messages
        assert (shown.channel, shown.private_to) == ("C1", "U2")
        direct = {"type": "message", "channel_type": "im", "user": "U2", "text": "login", "channel": "D2"}
        await o.send(o.far.event("Ev2", **direct, ts="1700000000.2"))
        await until(lambda: len(o.far.messages) == 2)
        assert o.far.messages[1].channel == "D2"
        links = {link_in(each.blocks) for each in o.far.messages}
        assert len(links) == 2
        assert (await signed_in(o, link_in(o.far.messages[1].blocks)))["id"] == "bo"


async def test_where_no_ephemeral_answer_arrives_the_link_goes_to_the_asker_in_person(office: Any) -> None:
    async with office() as o:
        o.far.failures["chat.postEphemeral"] = ["user_not_in_channel", "channel_not_found"]
        mention = {"type": "app_mention", "user": "U2", "text": "<@UBOT> login", "channel": "C1", "ts": "1700000000.1"}
        await o.send(o.far.event("Ev1", **mention))
        await until(lambda: o.far.messages)
        assert [each.channel for each in o.far.messages] == ["D2"]


async def test_the_same_message_delivered_again_makes_no_second_link(office: Any) -> None:
    async with office() as o:
        direct = {"type": "message", "channel_type": "im", "user": "U2", "text": "login", "channel": "D2"}
        for _ in range(3):
            await o.send(o.far.event("Ev1", **direct, ts="1700000000.2"))
        await until(lambda: o.far.messages)
        await o.say("login", user="U2", trigger="t7")
        assert "shown once" in await o.say("login", user="U2", trigger="t7")
        assert LINK.search(str(o.far.answers[-1]["blocks"])) is None
        assert await o.bench.events("login:") == ["login:created"] * 2


async def test_whoever_is_not_known_as_a_full_member_gets_no_link(office: Any) -> None:
    async with office() as o:
        assert "nobody in hub.yaml" in await o.say("login", user="U9", trigger="t1")
        o.far.users["U2"] = {"is_restricted": True}
        await o.say("login", user="U2", trigger="t2")
        await o.say("login", user="U2", trigger="t3", team_id="T9")
        assert all(LINK.search(str(each["blocks"])) is None for each in o.far.answers)
        assert await o.bench.events("login:") == []
        assert await o.bench.events("hook:refused") == ["hook:refused"]


async def test_the_sign_in_page_says_what_to_type(office: Any) -> None:
    async with office(slack=", command: /ops") as o:
        page = (await o.client.get("/")).text
        assert "In Slack, type" in page and "<code>/ops login</code>" in page
        assert f"{TEAM}/" not in page


async def test_a_card_leads_to_the_page(office: Any) -> None:
    async with office() as o:
        shown = await o.card()
        assert "<http://127.0.0.1:8000/#/approvals/A1|A1 on the page>" in str(shown.blocks)
