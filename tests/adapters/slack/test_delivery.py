"""Slack's limits and refusals: waited out for one channel, tried again, or visible with another way to the people."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hubs import Chat, until
from sqlalchemy import select
from workspace import BOT_TOKEN, workspace

from adapters.slack.accounts import Accounts
from adapters.slack.api import Api
from adapters.slack.manifest import SCOPES, manifest
from adapters.slack.posting import Posting
from adapters.slack.rooms import Rooms
from core.store import schema
from core.store.statement import Statement
from hub.contracts import DeliveryFailed
from hub.testing import sample_card, sample_post

COPIES = Statement(select(schema.delivery).order_by(schema.delivery.c.id))
NOT_TAKING = Statement(select(schema.suppressed))


def posting_of(api: Api) -> Posting:
    return Posting(api, Rooms(api, (), lambda: 0.0), Accounts(api, lambda: 0.0))


async def copies(office: Any) -> list[Any]:
    return await office.bench.hub.db.read(lambda reader: reader.all(COPIES))


async def throttled(office: Any) -> bool:
    return "delivery:throttled" in await office.bench.events("delivery:")


async def suppressed(office: Any) -> list[Any]:
    return await office.bench.hub.db.read(lambda reader: reader.all(NOT_TAKING))


@pytest.mark.anyio
async def test_a_limit_of_one_channel_holds_up_no_other(office: Any) -> None:
    async with office(ask='"slack:#prod", "slack:C2"') as o:
        o.far.failures["chat.postMessage"] = [429]
        await o.bench.ask("ana", "request", action="note", params={"text": "x"})
        await until(lambda: len(o.far.cards()) == 1)
        await until(lambda: throttled(o))
        assert o.bench.hub.delivery.works("slack")
        await until(lambda: {each.channel for each in o.far.cards()} == {"C1", "C2"})
        assert o.far.times("chat.postMessage") == 3, "nothing is sent before the time that Slack named"


@pytest.mark.anyio
@pytest.mark.parametrize("failure", [500, 503, "internal_error", "fatal_error"])
async def test_a_failure_that_may_pass_is_tried_again(office: Any, failure: Any) -> None:
    async with office() as o:
        o.far.failures["chat.postMessage"] = [failure, failure]
        await o.card()
        assert len(o.far.cards("C1")) == 1
        assert (await o.bench.events("delivery:")).count("delivery:failed") == 2


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("room", "words"),
    [
        ({"name": "prod", "is_member": False}, "not_in_channel"),
        ({"name": "prod", "is_member": True, "is_archived": True}, "is_archived"),
        ({"name": "elsewhere", "is_member": True}, "there is no channel #prod"),
        ({"name": "prod", "is_member": True, "is_ext_shared": True}, "shared with another company"),
        ({"name": "prod", "is_member": True, "is_pending_ext_shared": True}, "shared with another company"),
    ],
)
async def test_a_channel_that_takes_no_card_is_visible_and_its_people_are_asked_another_way(
    office: Any, room: dict[str, Any], words: str
) -> None:
    async with office() as o:
        o.far.rooms["C1"] = room
        await o.bench.ask("ana", "request", action="note", params={"text": "x"})
        await until(lambda: {each.channel for each in o.far.cards()} == {"D2", "D3"})
        dead = [each for each in await copies(o) if each["state"] == "dead"]
        assert [each["address"] for each in dead] == ["#prod"] and words in dead[0]["error"]
        assert "delivery:dead" in await o.bench.events("delivery:")
        o.bench.hub.adapters["slack"]._hub = _Examined(o.bench.hub)
        assert any(words.split(" (")[0].split("_")[-1] in each for each in await o.adapter.check())


class _Examined:
    """The hub as `doctor` has it."""

    public_url = "https://hub.example.com"

    def __init__(self, hub: Any) -> None:
        self.places = hub.places
        self.sources = hub.sources


@pytest.mark.anyio
async def test_a_channel_is_asked_again_once_the_bot_was_invited(office: Any) -> None:
    async with office() as o:
        o.far.rooms["C1"] = {"name": "prod", "is_member": False}
        await o.bench.ask("ana", "request", action="note", params={"text": "x"})
        await until(lambda: {each.channel for each in o.far.cards()} == {"D2", "D3"})
        o.far.rooms["C1"] = {"name": "prod", "is_member": True}
        joined = o.far.event("Ev9", type="member_joined_channel", user="UBOT", channel="C1")
        assert (await o.send(joined)).status_code == 200

        async def takes_again() -> bool:
            return await suppressed(o) == []

        await until(takes_again)
        await o.bench.ask("ana", "request", action="note", params={"text": "y"})
        await until(lambda: len(o.far.cards("C1")) == 1)


@pytest.mark.anyio
async def test_a_shared_channel_may_be_allowed_by_name(office: Any) -> None:
    async with office(slack=", shared_rooms: [C1]") as o:
        o.far.rooms["C1"]["is_ext_shared"] = True
        await o.card()


@pytest.mark.anyio
async def test_a_revoked_token_sends_people_to_their_next_channel_at_once(office: Any) -> None:
    async with office(channels_more="  chat: {adapter: chat}\n", adapters={"chat": Chat}) as o:
        await until(lambda: o.far.times("auth.test") == 1)
        o.far.failures["conversations.list"] = ["token_revoked"] * 9
        o.far.failures["chat.postMessage"] = ["token_revoked"] * 9
        await o.bench.ask("ana", "request", action="note", params={"text": "x"})
        await until(lambda: bool(o.bench.channels["chat"].at("@cai")))
        assert any("token_revoked" in (each["error"] or "") for each in await copies(o))


PLACES = (
    *("not_in_channel", "channel_not_found", "is_archived", "restricted_action", "user_not_found", "user_disabled"),
    *("cannot_dm_bot", "messages_tab_disabled"),
)
TOKENS = (
    *("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope"),
    *("no_permission", "org_login_required", "team_access_not_granted"),
)


@pytest.mark.anyio
@pytest.mark.parametrize("error", [*PLACES, *TOKENS])
async def test_every_lasting_refusal_is_in_the_copy_with_its_remedy_and_people_are_asked_elsewhere(
    office: Any, error: str
) -> None:
    async with office(ask='"slack:C1"', channels_more="  chat: {adapter: chat}\n", adapters={"chat": Chat}) as o:
        o.far.failures["chat.postMessage"] = [error] * 9
        await o.bench.ask("ana", "request", action="note", params={"text": "x"})
        await until(lambda: bool(o.bench.channels["chat"].at("@cai")))
        dead = next(each for each in await copies(o) if each["address"] == "C1")
        assert dead["state"] == "dead" and dead["error"].endswith((f"({error})", f"({error}); see docs/slack.md"))
        assert ("slack", "C1") in [(each["channel"], each["address"]) for each in await suppressed(o)]
        assert "delivery:dead" in await o.bench.events("delivery:")


@pytest.mark.anyio
@pytest.mark.parametrize("error", ["invalid_blocks", "msg_too_long", "msg_blocks_too_long"])
async def test_a_card_that_slack_does_not_take_is_a_line_without_buttons_that_says_where_it_is(
    office: Any, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with office() as o:
        o.far.failures["chat.postMessage"] = [error]
        card = await o.card()
        assert card.tokens == () and "This card cannot be shown here" in card.words and "/approvals/A1" in card.words
        assert error in caplog.text


@pytest.mark.anyio
async def test_a_slow_answer_is_no_second_card(office: Any) -> None:
    async with office() as o:
        o.far.failures["chat.postMessage"] = [0.5]
        await o.card()
        await asyncio.sleep(0.2)
        assert len(o.far.cards("C1")) == 1


@pytest.mark.anyio
async def test_the_run_is_told_in_the_thread_once_and_output_is_capped(office: Any) -> None:
    actions = (
        "actions:\n  note:\n    title: Note {text}\n    params: {text: {type: string}}\n"
        '    apply: {command: ["seq", "20000"]}\n'
    )
    async with office(actions=actions) as o:
        card = await o.card()
        await o.press(card, "Approve", user="U2")
        await o.bench.until_state("A1", "COMPLETED")
        await until(lambda: any("Output" in each.words for each in o.far.thread(card.ts)))
        (told,) = [each for each in o.far.thread(card.ts) if "Output" in each.words]
        assert "20000" in told.words and "more characters before this" in told.words
        assert [each["text"]["text"] for each in told.buttons] == ["View all"]
        assert len(o.far.thread(card.ts)) <= 2


@pytest.mark.anyio
async def test_a_thread_is_told_again_only_of_news() -> None:
    async with workspace() as far, Api(BOT_TOKEN, far.api_url) as api:
        posting = posting_of(api)
        running = {"run": {"id": "R1"}}
        post = sample_post("C1", card=sample_card(state="APPLYING"), approval=running)
        reference = await posting.post(post)
        again = await posting.update(reference, post)
        assert again == reference and len(far.thread(far.cards()[0].ts)) == 1
        done = sample_post("C1", card=sample_card(state="FAILED"), approval=running)
        await posting.update(again, done)
        assert len(far.thread(far.cards()[0].ts)) == 2


@pytest.mark.anyio
async def test_a_press_never_sets_a_card_back_to_what_it_was() -> None:
    async with workspace() as far, Api(BOT_TOKEN, far.api_url) as api:
        posting = posting_of(api)
        reference = await posting.post(sample_post("C1", card=sample_card(version=3)))
        await posting.update(reference, sample_post("C1", card=sample_card(version=5, state="COMPLETED", buttons=())))
        (card,) = far.cards()
        await posting.strip("C1", card.ts, f"{far.url}/respond/C1/{card.ts}", sample_card(version=4, state="APPROVED"))
        assert "Completed" in card.words and far.answers == []


@pytest.mark.anyio
@pytest.mark.parametrize("error", ["message_not_found", "cant_update_message", "edit_window_closed"])
async def test_a_message_that_can_never_be_changed_is_given_up(error: str) -> None:
    async with workspace() as far, Api(BOT_TOKEN, far.api_url) as api:
        posting = posting_of(api)
        reference = await posting.post(sample_post("C1"))
        far.failures["chat.update"] = [error]
        with pytest.raises(DeliveryFailed) as failed:
            await posting.update(reference, sample_post("C1"))
        assert failed.value.permanent and not failed.value.address_is_dead


@pytest.mark.anyio
async def test_a_card_carries_what_recognises_it_and_no_link_is_unfurled() -> None:
    async with workspace() as far, Api(BOT_TOKEN, far.api_url) as api:
        await posting_of(api).post(sample_post("T1/U2"))
        (sent,) = [given for method, given in far.calls if method == "chat.postMessage"]
        assert sent["channel"] == "U2" and sent["unfurl_links"] is False
        assert sent["metadata"]["event_payload"] == {"approval": "A1", "version": 1, "copy": "key-1"}
        assert far.cards()[0].channel == "D2"


@pytest.mark.anyio
async def test_the_doctor_names_what_is_missing(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with office() as o:
        (problem,) = await o.adapter.check()
        assert "Slack cannot reach http://127.0.0.1:8000" in problem
        monkeypatch.setattr("workspace.SCOPES", "commands,chat:write")
        assert any("the bot lacks" in each and "users:read" in each for each in await o.adapter.check())
        o.far.failures["auth.test"] = ["invalid_auth"]
        assert any("Slack does not know the bot token" in each for each in await o.adapter.check())


def test_the_manifest_has_every_address_or_none() -> None:
    web = manifest(public_url="https://hub.example.com/", path="/slack/events", command="/ops", socket_mode=False)
    assert str(web).count("https://hub.example.com/slack/events") == 3
    assert web["features"]["slash_commands"][0]["should_escape"] is True
    assert 174 <= len(web["display_information"]["long_description"]) <= 4000
    assert set(web["oauth_config"]["scopes"]["bot"]) == set(SCOPES)
    socket = manifest(public_url="http://x", path="/slack/events", command="/hub", socket_mode=True)
    assert "http" not in str(socket["settings"]) + str(socket["features"])
    assert socket["settings"]["socket_mode_enabled"] is True


def test_the_manifest_asks_for_what_hub_yaml_needs_and_no_more() -> None:
    given = {"public_url": "https://hub.example.com", "path": "/slack/events", "command": "/hub", "socket_mode": False}
    plain = manifest(**given)
    assert "redirect_urls" not in plain["oauth_config"] and plain["settings"]["token_rotation_enabled"] is False
    whole = manifest(**given, groups=True, emails=True, redirect="https://hub.example.com/slack/install/done")
    assert set(whole["oauth_config"]["scopes"]["bot"]) == {*SCOPES, "usergroups:read", "users:read.email"}
    assert whole["oauth_config"]["redirect_urls"] == ["https://hub.example.com/slack/install/done"]
    assert whole["settings"]["token_rotation_enabled"] is True
    events = whole["settings"]["event_subscriptions"]["bot_events"]
    assert {"app_uninstalled", "tokens_revoked", "subteam_members_changed"} <= set(events)
