"""Every card, answer and dialog is one that Slack takes, whatever stands in it, and shows it as text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from blocks import check_message, check_view, texts_of, utf16
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.slack import render
from adapters.slack.text import cut, escape, split, weight
from hub.contracts import Button, Card, Field, Reply
from hub.testing import SAMPLE, sample_card

HOSTILE = "<!channel> <@U1> *b* _i_ ```x``` `y` & > \u202e :tada: <http://x|y> 🎉"
TEXT = st.one_of(
    st.text(max_size=60),
    st.sampled_from([HOSTILE, "", " ", "`", "```", "<" * 5000, "🎉" * 4000, "a\n" * 3000, '"\\' * 9000]),
    st.builds(lambda part, times: part * times, st.text(min_size=1, max_size=8), st.integers(1, 3000)),
)
BUTTONS = st.builds(
    Button,
    label=st.text(min_size=1, max_size=120),
    choice=st.sampled_from(["approve", "reject", "rollback", "stop", "unheard-of"]),
    token=st.one_of(st.none(), st.text("abcdef0123456789", min_size=1, max_size=120)),
    style=st.sampled_from(["primary", "danger", "plain"]),
)
FIELDS = st.builds(Field, label=st.text(max_size=40), value=TEXT, code=st.booleans())
_PARTS = {
    "approval": st.from_regex(r"A[1-9][0-9]{0,8}", fullmatch=True),
    "version": st.integers(0, 10**9),
    "digest": st.one_of(st.none(), st.just("d" * 64)),
    "state": st.sampled_from(["REVIEWING", "APPROVED", "APPLYING", "COMPLETED", "FAILED", "ROLLED_BACK"]),
    "title": TEXT,
    "summary": TEXT,
    "fields": st.lists(FIELDS, max_size=15).map(tuple),
    "claim": st.one_of(st.none(), TEXT),
    "preview": st.one_of(st.none(), TEXT),
    "footer": TEXT,
    "url": st.one_of(st.none(), st.just("https://hub.example.com/#/approvals/A1")),
    "expires_at": st.one_of(st.none(), st.just("2026-11-21T10:00:00.000000Z")),
    "buttons": st.lists(BUTTONS, max_size=30).map(tuple),
    "final": st.booleans(),
    "requester": TEXT,
    "risk": st.sampled_from(["low", "medium", "high"]),
}
CARDS = st.builds(Card, **_PARTS)
LITTLE = st.builds(Card, **{**_PARTS, "fields": st.lists(FIELDS, max_size=3).map(tuple)})
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")  # long texts are the point here
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@SLOW
@given(card=CARDS)
def test_every_card_is_a_message_that_slack_takes(card: Card) -> None:
    message = render.card_message(card)
    check_message(message.text, message.blocks)
    live = [each for each in card.buttons if each.token]
    actions = message.blocks[-1]
    assert actions["block_id"] == f"{card.approval}:v{card.version}"
    assert len(actions["elements"]) == min(24, len(live)) + 1
    assert all(len(each["value"]) <= 2000 for each in actions["elements"])


@SLOW
@given(card=CARDS)
def test_every_dialog_is_one_that_slack_takes(card: Card) -> None:
    check_view(render.whole_view(card))
    check_view(render.reason_view("t" * 50, card.title[:60], card.title))
    check_view(render.notice_view(card.title, card.summary))


@SLOW
@given(text=TEXT, card=st.one_of(st.none(), CARDS))
def test_every_answer_is_a_message_that_slack_takes(text: str, card: Card | None) -> None:
    message = render.answer_message(Reply(ok=True, text=text or "-", card=card), "https://hub.example.com")
    check_message(message.text, message.blocks)


@SLOW
@given(cards=st.lists(LITTLE, max_size=5, unique_by=lambda card: card.approval), asked=TEXT, leases=TEXT)
def test_every_home_is_one_that_slack_takes(cards: list[Card], asked: str, leases: str) -> None:
    check_view(render.home_view(cards, asked, leases, "/hub"))


@SLOW
@given(card=CARDS, output=TEXT)
def test_every_word_about_a_run_is_a_message_that_slack_takes(card: Card, output: str) -> None:
    told = Card(**{name: getattr(card, name) for name in card.__slots__ if name != "fields"}, fields=(_output(output),))
    news = render.progress(told, {**SAMPLE, "run": {"id": "R9"}})
    assert (news is None) == (card.state in ("REVIEWING", "APPROVED"))
    if news is not None:
        check_message(news[1].text, news[1].blocks)


def _output(text: str) -> Field:
    return Field(label="Output", value=text, code=True)


@SLOW
@given(text=TEXT, most=st.integers(1, 4000))
def test_what_is_cut_fits_after_escaping_and_no_part_is_lost(text: str, most: int) -> None:
    head, rest = split(text, most)
    assert head + rest == text
    assert utf16(escape(head)) == weight(head) <= most
    assert rest == "" or weight(head + rest[0]) > most
    assert 1 <= utf16(escape(cut(text, max(most, 2)))) <= max(most, 2)


def test_words_of_the_asker_are_never_markup() -> None:
    card = sample_card(title=HOSTILE, claim=HOSTILE, fields=(Field(label="Needs", value=HOSTILE),))
    for text in texts_of(list(render.card_message(card).blocks)):
        assert "<!channel>" not in text["text"] and "<@U1>" not in text["text"]
        if text["type"] == "mrkdwn":
            assert "tada" not in text["text"]


def test_backticks_do_not_break_out_of_a_code_block() -> None:
    card = sample_card(fields=(Field(label="Runs", value="x ``` *bold* <!here>", code=True),))
    (text,) = [each for each in texts_of(list(render.card_message(card).blocks)) if "bold" in each["text"]]
    assert text["type"] == "plain_text"
    card = sample_card(fields=(Field(label="Runs", value="./deploy *web* <x>", code=True),))
    (text,) = [each for each in texts_of(list(render.card_message(card).blocks)) if "web*" in each["text"]]
    assert text["text"] == "*Runs*\n```./deploy *web* &lt;x&gt;```"


def test_a_long_command_says_how_much_is_missing_and_the_dialog_has_it() -> None:
    value = "x" * 2_500 + "END OF IT"
    card = sample_card(fields=(Field(label="Runs", value=value, code=True),))
    shown = json.dumps(render.card_message(card).blocks)
    assert "9 more characters of Runs are not shown here; View all shows them" in shown
    assert "END OF IT" not in shown
    assert "END OF IT" in json.dumps(render.whole_view(card))


def test_the_deadline_is_shown_in_the_readers_own_time() -> None:
    blocks = json.dumps(render.card_message(sample_card(expires_at="2026-11-21T10:00:00.000000Z")).blocks)
    assert "<!date^1795255200^{date_short_pretty} at {time}|2026-11-21 10:00 UTC>" in blocks


def test_a_button_says_nothing_but_its_token_and_asks_before_it_acts() -> None:
    card = sample_card(risk="high")
    approve, reject, view = render.card_message(card).blocks[-1]["elements"]
    assert approve["value"] == "live-token" and approve["style"] == "primary"
    assert approve["confirm"]["text"]["text"] == "Deploy web\nRisk: high."
    assert reject["action_id"].startswith("interlock.reason") and reject["style"] == "danger"
    assert "confirm" not in reject
    assert view["value"] == "A1"


@pytest.mark.parametrize("choice", ["rollback", "a-choice-of-tomorrow"])
def test_a_button_that_nobody_here_knows_just_works(choice: str) -> None:
    card = sample_card(buttons=(Button(label="Do it", choice=choice, token="t"),), final=True)
    button = render.card_message(card).blocks[-1]["elements"][0]
    assert button["action_id"] == "interlock.press.0" and button["confirm"]["confirm"]["text"] == "Do it"


def test_the_validators_refuse_what_slack_refuses() -> None:
    text = {"type": "plain_text", "text": "x", "emoji": False}
    button = {"type": "button", "text": text, "action_id": "a", "value": "v"}
    bad: list[list[dict[str, Any]]] = [
        [{"type": "header", "text": {**text, "text": "x" * 151}}],
        [{"type": "header", "text": {"type": "mrkdwn", "text": "x", "verbatim": True}}],
        [{"type": "section", "text": {**text, "text": "x" * 3001}}],
        [{"type": "section", "text": {**text, "text": ""}}],
        [{"type": "section", "fields": [text] * 11}],
        [{"type": "section", "fields": [{**text, "text": "x" * 2001}]}],
        [{"type": "actions", "elements": []}],
        [{"type": "actions", "elements": [button, button]}],
        [{"type": "actions", "elements": [{**button, "value": "v" * 2001}]}],
        [{"type": "actions", "elements": [{**button, "style": "warning"}]}],
        [{"type": "actions", "block_id": "b" * 256, "elements": [button]}],
        [{"type": "marquee"}],
        [{"type": "section", "text": text}] * 51,
    ]
    check_message("x", [{"type": "section", "text": text}, {"type": "actions", "elements": [button]}])
    for blocks in bad:
        with pytest.raises(Exception):  # noqa: B017 (each package has errors of its own)
            check_message("x", blocks)
