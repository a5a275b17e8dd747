"""Cards in a whole hub: asked, pressed, decided, and every copy true."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hubs import until

from adapters.slack.api import Api
from adapters.slack.parse import Account, said
from hub.contracts import DeliveryFailed


@pytest.mark.anyio
async def test_a_request_in_slack_is_approved_in_slack_and_the_result_follows_in_the_thread(office: Any) -> None:
    async with office() as o:
        text = await o.say("note “hello world” because it’s time", user="U1")
        assert text.startswith("A1")
        await until(lambda: any(each.tokens for each in o.far.cards("C1")))
        (card,) = o.far.cards("C1")
        for words in ("Approve: Note hello world", "Ana Ruiz", "it's time", "Risk\nmedium", "Policy\ndefault"):
            assert words in card.words, words
        assert "true 'hello world'" in card.words
        assert await o.press(card, "Approve", user="U2") == "A1: approved"
        await until(lambda: "Completed: Note hello world" in card.words)
        assert card.tokens == () and "Bo Lind approved in slack (chat)" in card.words
        await until(lambda: any("R1" in each.words for each in o.far.thread(card.ts)))
        assert len(o.far.cards("C1")) == 1


@pytest.mark.anyio
async def test_a_rejection_asks_why_and_closing_the_question_does_nothing(office: Any) -> None:
    async with office() as o:
        card = await o.card()
        response = await o.send(o.far.press(card.button("Reject"), card, user="U2"))
        assert (response.status_code, response.text) == (200, "")
        await until(lambda: len(o.far.views) == 1)
        (name,) = o.far.views
        assert o.far.views[name]["title"]["text"] == "Reject"
        assert "Approve: Note hello" in str(o.far.views[name]["blocks"])
        closed = {
            "type": "view_closed",
            "user": {"id": "U2", "team_id": "T1"},
            "view": o.far.views[name] | {"id": name},
        }
        assert (await o.send(closed)).status_code == 200
        assert (await o.bench.state("A1"))["state"] == "REVIEWING"
        response = await o.send(o.far.submit(name, "not on a <friday>"))
        assert response.json()["response_action"] == "update"
        await until(lambda: o.far.views[name]["title"]["text"] == "Recorded")
        await until(lambda: card.tokens == ())
        assert "Rejected by Bo Lind in slack: not on a <friday>; nothing ran." in card.words


@pytest.mark.anyio
async def test_a_late_reason_is_answered_with_what_happened(office: Any) -> None:
    async with office() as o:
        card = await o.card()
        await o.send(o.far.press(card.button("Reject"), card, user="U2"))
        await until(lambda: len(o.far.views) == 1)
        (name,) = o.far.views
        await o.press(card, "Approve", user="U3", trigger="t2")
        await o.bench.until_state("A1", "COMPLETED")
        await o.send(o.far.submit(name, "too late"))
        await until(lambda: o.far.views[name]["title"]["text"] == "Not recorded")
        assert (await o.bench.state("A1"))["state"] == "COMPLETED"


@pytest.mark.anyio
async def test_a_double_click_and_a_second_press_act_once(office: Any) -> None:
    async with office(count=2) as o:
        card = await o.card()
        button = card.button("Approve")
        payloads = [o.far.press(button, card, user="U2", trigger=f"t{n}") for n in (1, 1, 2)]
        await asyncio.gather(*(o.send(each) for each in payloads))
        await until(lambda: len(o.far.answers) >= 2)
        assert len(await o.bench.events("approval:decided")) == 1
        assert (await o.bench.state("A1"))["state"] == "REVIEWING"
        await until(lambda: "1 of 2 of sre (Bo Lind)" in card.words)
        assert card.tokens, "others can still decide"


@pytest.mark.anyio
async def test_a_decision_elsewhere_takes_the_buttons_away_here(office: Any) -> None:
    async with office() as o:
        card = await o.card()
        assert card.tokens
        digest = (await o.bench.state("A1"))["digest"]
        assert (await o.bench.ask("bo", "reject", ids=["A1"], digest=digest, comment="no")).ok
        await until(lambda: card.tokens == ())
        assert "Rejected by Bo Lind in page: no; nothing ran." in card.words


@pytest.mark.anyio
async def test_an_orphan_of_a_card_is_healed_by_its_first_press(office: Any) -> None:
    """Slack took the card and did not say so in time: there are two, and we know only the second."""
    async with office() as o:
        card = await o.card()
        o.far._stand("C1", {"text": card.text, "blocks": card.blocks})
        orphan = o.far.messages[-1]
        await o.press(card, "Approve", user="U2")
        await o.bench.until_state("A1", "COMPLETED")
        assert orphan.tokens
        await o.press(orphan, "Approve", user="U3", trigger="t2")
        await until(lambda: orphan.tokens == ())


@pytest.mark.anyio
async def test_a_button_that_is_not_ours_is_answered(office: Any) -> None:
    async with office() as o:
        card = await o.card()
        button = {"action_id": "interlock.press.0", "value": "guess", "text": {"type": "plain_text", "text": "Approve"}}
        await o.send(o.far.press(button, card))
        await until(lambda: len(o.far.answers) == 1)
        assert "this button is not ours" in o.far.answers[0]["text"]
        unknown = {"action_id": "of.another.app", "value": "", "text": {"type": "plain_text", "text": "?"}}
        await o.send(o.far.press(unknown, card, trigger="t2"))
        await until(lambda: len(o.far.answers) == 2)
        assert (await o.bench.state("A1"))["state"] == "REVIEWING"


@pytest.mark.anyio
async def test_view_all_opens_at_once_and_shows_the_whole(office: Any) -> None:
    async with office() as o:
        card = await o.card(text="x" * 1000 + "END")
        await o.send(o.far.press(card.button("View all"), card, user="U2"))
        await until(lambda: any("END" in str(view) for view in o.far.views.values()))
        methods = [method for method, _ in o.far.calls if method.startswith("views.")]
        assert methods == ["views.open", "views.update"]


@pytest.mark.anyio
@pytest.mark.parametrize("failure", ["expired_trigger_id", "internal_error", 503])
async def test_a_dialog_that_does_not_open_is_answered_with_another_way(office: Any, failure: Any) -> None:
    async with office() as o:
        card = await o.card()
        o.far.failures["views.open"] = [failure] * 2
        words = await o.press(card, "Reject", user="U2")
        assert "did not open" in words and "Nothing was done" in words and "/hub reject A1 because" in words
        assert "/hub show A1" in await o.press(card, "View all", user="U2", trigger="t2")
        assert o.far.views == {} and (await o.bench.state("A1"))["state"] == "REVIEWING"


@pytest.mark.anyio
async def test_a_dialog_that_does_not_open_is_answered_also_when_slack_is_out_of_reach(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with office() as o:
        card = await o.card()
        call = Api.call

        async def cut_off(self: Api, method: str, **arguments: Any) -> Any:
            if method == "views.open":
                raise DeliveryFailed("Slack could not be reached: ClientConnectorError")
            return await call(self, method, **arguments)

        monkeypatch.setattr(Api, "call", cut_off)
        assert "could not be reached" in await o.press(card, "Reject", user="U2")


@pytest.mark.anyio
async def test_a_mention_a_direct_message_and_both_at_once_are_one_command(office: Any) -> None:
    async with office() as o:
        event = {"user": "U1", "text": "<@UBOT> whoami", "ts": "1700000000.000200", "channel": "D9"}
        await o.send(o.far.event("Ev1", type="app_mention", **event))
        await o.send(o.far.event("Ev2", type="message", channel_type="im", **event))
        await o.send(o.far.event("Ev1", type="app_mention", **event))
        await until(lambda: len(o.far.cards("D9")) == 1)
        assert "Ana Ruiz" in o.far.cards("D9")[0].words or "ana" in o.far.cards("D9")[0].words
        await o.say("status", trigger="t7")
        assert len(o.far.cards("D9")) == 1
        mention = {"user": "U1", "text": "<@UBOT> whoami", "ts": "1700000000.000300", "channel": "C1"}
        await o.send(o.far.event("Ev3", type="app_mention", thread_ts="1700000000.000100", **mention))
        await until(lambda: len(o.far.thread("1700000000.000100")) == 1)
        assert o.far.thread("1700000000.000100")[0].private_to == "U1"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fact", "words"),
    [
        ({"deleted": True}, "deactivated"),
        ({"is_restricted": True}, "guests"),
        ({"is_ultra_restricted": True}, "guests"),
        ({"is_bot": True}, "bots"),
        ({"is_stranger": True}, "another company"),
    ],
)
async def test_an_account_that_is_no_full_member_cannot_act_and_that_is_recorded(
    office: Any, fact: dict[str, Any], words: str
) -> None:
    async with office() as o:
        card = await o.card()
        o.far.users["U2"] = fact
        assert words in await o.press(card, "Approve", user="U2")
        assert (await o.bench.state("A1"))["state"] == "REVIEWING"
        assert await o.bench.events("hook:refused") == ["hook:refused"]


@pytest.mark.anyio
async def test_an_outsider_of_a_shared_channel_is_refused_even_with_a_users_own_id(office: Any) -> None:
    """The payload's `team` is ours; only `user.team_id` says that the presser is not."""
    async with office() as o:
        card = await o.card()
        assert "nobody in hub.yaml" in await o.press(card, "Approve", user="U2", user_team="T9EXTERNAL")
        assert (await o.bench.state("A1"))["state"] == "REVIEWING"


@pytest.mark.anyio
async def test_an_outsider_is_refused_even_when_hub_yaml_names_them(office: Any) -> None:
    people = "people:\n  ana: {name: Ana, slack: T1/U1, groups: [sre]}\n  bo: {name: Bo, slack: T9/U2, groups: [sre]}\n"
    async with office(people=people) as o:
        card = await o.card()
        assert "another workspace" in await o.press(card, "Approve", user="U2", user_team="T9")


@pytest.mark.anyio
async def test_nobody_acts_while_slack_cannot_say_who_they_are(office: Any) -> None:
    async with office() as o:
        card = await o.card()
        o.far.failures["users.info"] = [500, 500, 500, 500]
        assert "try again" in await o.press(card, "Approve", user="U2")
        assert (await o.bench.state("A1"))["state"] == "REVIEWING"


@pytest.mark.anyio
async def test_nobody_decides_on_their_own_request_in_slack_either(office: Any) -> None:
    async with office() as o:
        card = await o.card()
        await o.press(card, "Approve", user="U1")
        assert (await o.bench.state("A1"))["state"] == "REVIEWING"
        assert card.tokens


@pytest.mark.anyio
async def test_the_home_shows_what_waits_and_its_buttons_decide(office: Any) -> None:
    async with office() as o:
        await o.card()
        await o.send(o.far.event("Ev1", type="app_home_opened", tab="home", user="U2", channel="D2"))
        await until(lambda: "U2" in o.far.homes)
        home = o.far.homes["U2"]
        button = next(
            each
            for block in home["blocks"]
            if block["type"] == "actions"
            for each in block["elements"]
            if each["text"]["text"] == "Approve"
        )
        pressed = o.far.press(button, user="U2")
        for key in ("channel", "message", "response_url"):
            del pressed[key]
        pressed |= {"container": {"type": "view", "view_id": "V1"}, "view": {"id": "V1", "type": "home"}}
        await o.send(pressed)
        await o.bench.until_state("A1", "COMPLETED")
        await until(lambda: "Nothing waits for you." in str(o.far.homes["U2"]))
        await until(lambda: any("A1" in each.text for each in o.far.cards("D2")))


@pytest.mark.anyio
async def test_the_bot_and_others_programs_are_not_heard(office: Any) -> None:
    async with office() as o:
        base = {"type": "message", "channel_type": "im", "channel": "D9", "text": "note x", "ts": "1.2"}
        for more in (
            {"user": "U1", "bot_id": "B1"},
            {"user": "U1", "subtype": "message_changed"},
            {"user": "U1", "subtype": "bot_message"},
            {"user": "U1", "hidden": True},
            {"channel_type": "channel", "user": "U1"},
        ):
            assert (await o.send(o.far.event("Ev1", **(base | more)))).status_code == 200
        await o.say("status")
        assert await o.bench.events("approval:requested") == []


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("delegate to <@U2|bob>", "delegate to @bo"),
        ("delegate to <@U9|bob>", "delegate to @U9"),
        ("note &lt;b&gt; &amp;amp;", "note <b> &amp;"),
        ("see <https://x.example|x.example> and <mailto:a@b.example|a@b.example>", "see x.example and a@b.example"),
        ("see <https://evil.example|good.example>", "see https://evil.example"),
        ("in <#C1|prod>", "in #prod"),
        ("<!here> <!subteam^S1|@sre>", "@here @sre"),
    ],
)
def test_slacks_references_are_read_as_they_were_typed(typed: str, read: str) -> None:
    assert said(typed, {"U2": "bo"}.get) == read


def test_an_account_may_be_named_by_workspace_or_by_organisation() -> None:
    assert Account(user="U1", team="T1", enterprise="E1").identities == ("T1/U1", "E1/U1")
    assert Account(user="W1", team="", enterprise="E1").identities == ("E1/W1",)


@pytest.mark.anyio
async def test_where_the_policy_asks_for_it_the_id_is_typed_in_a_dialog(office: Any) -> None:
    typed = 'policies:\n  - {name: default, require: [{group: sre, count: 1}], confirm: typed, ask: ["slack:#prod"]}\n'
    async with office(policies=typed) as o:
        card = await o.card()
        assert "A1 is typed as well: policy default asks for it" in card.words
        button = card.button("Approve")
        assert (button["text"]["text"], "confirm" in button) == ("Approve…", False)
        await o.send(o.far.press(button, card, user="U2"))
        await until(lambda: len(o.far.views) == 1)
        (first,) = o.far.views
        assert "Type A1 to confirm" in str(o.far.views[first]["blocks"])
        assert (await o.bench.state("A1"))["state"] == "REVIEWING"
        await o.send(o.far.submit(first, "yes"))
        await until(lambda: o.far.views[first]["title"]["text"] == "Not recorded")
        assert "what you typed is not A1" in str(o.far.views[first]["blocks"])
        assert (await o.bench.state("A1"))["state"] == "REVIEWING"

        await o.send(o.far.press(button, card, user="U2", trigger="t2"))
        await until(lambda: len(o.far.views) == 2)
        second = next(each for each in o.far.views if each != first)
        await o.send(o.far.submit(second, "a1"))
        await until(lambda: o.far.views[second]["title"]["text"] == "Recorded")
        await o.bench.until_state("A1", "COMPLETED")
        assert (await o.bench.state("A1"))["decisions"][0]["by"]["id"] == "bo"


@pytest.mark.anyio
async def test_a_button_that_acts_at_once_does_not_get_around_the_dialog(office: Any) -> None:
    typed = "policies:\n  - {name: default, require: [{group: sre, count: 1}], confirm: typed}\n"
    async with office(policies=typed.replace("typed}", 'typed, ask: ["slack:#prod"]}')) as o:
        card = await o.card()
        forged = card.button("Approve") | {"action_id": "interlock.press.0"}
        await o.send(o.far.press(forged, card, user="U2"))
        await until(lambda: len(o.far.answers) == 1)
        assert "asks you to type A1" in o.far.answers[0]["text"]
        assert (await o.bench.state("A1"))["state"] == "REVIEWING"
