"""Who is asked when somebody is away: their delegate, with a card that says for whom, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from court import person
from hubs import ACTIONS, Bench, Chat, make_hub, running, until

from core.people.assurance import Assurance
from core.people.directory import Directory
from core.policy.ballot import Ballot
from core.policy.policy import Policy, Requirement
from core.policy.proxy import Proxy
from hub.asking import asked_people
from hub.hub import Hub

CHANNELS = "channels:\n  chat: {adapter: chat}\n"
PEOPLE = """
people:
  ana: {name: Ana Ruiz, email: ana@example.com, groups: [sre, admins]}
  bo:  {name: Bo Lind,  email: bo@example.com,  groups: [sre]}
  cai: {name: Cai Wu,   email: cai@example.com, groups: [sre]}
  eve: {name: Eve Falk, email: eve@example.com}
"""


def make(folder: Path) -> Hub:
    hub = make_hub(folder, people=PEOPLE, channels=CHANNELS, adapters={"chat": lambda c, h: Chat(c, h)})
    hub.delivery._poll_seconds = 0.05
    return hub


def chat_of(bench: Bench) -> Chat:
    chat: Chat = bench.channels["chat"]
    return chat


@pytest.mark.anyio
async def test_the_delegate_of_somebody_away_is_asked_and_told_for_whom(tmp_path: Path) -> None:
    async with running(make(tmp_path)) as bench:
        assert (await bench.say("bo", "delegate to @eve until 2h")).ok
        assert (await bench.say("bo", "away until tomorrow")).text.endswith("UTC.")
        name = await bench.request()
        chat = chat_of(bench)
        await until(lambda: len(chat.posts) == 2)
        assert sorted(post.address for _, post in chat.posts) == ["@cai", "@eve"]
        (card,) = [post.card for post in chat.at("@eve")]
        assert (card.fields[0].label, card.fields[0].value) == ("Asked of you", "for Bo Lind, who is away")
        assert chat.at("@cai")[0].card.fields[0].label != "Asked of you"
        press = next(each.token for each in card.buttons if each.choice == "approve")
        assert (await bench.press("eve", press)).ok
        decided = (await bench.state(name))["decisions"][0]
        assert (decided["by"]["id"], decided["on_behalf_of"]["id"], decided["delegation"]) == ("eve", "bo", "D1")
        await until(lambda: "Eve Falk for Bo Lind" in chat.at("@cai")[-1].card.summary)


@pytest.mark.anyio
async def test_without_a_delegate_nobody_is_asked_and_the_answer_says_so(tmp_path: Path) -> None:
    async with running(make(tmp_path)) as bench:
        assert "Nobody is asked for you" in (await bench.say("bo", "away until tomorrow")).text
        name = await bench.request()
        chat = chat_of(bench)
        await until(lambda: len(chat.posts) == 1)
        assert chat.posts[0][1].address == "@cai"
        assert "Away: bo until" in (await bench.say("ana", f"who {name}")).text
        assert (await bench.ask("bo", "approve", ids=[name], digest=(await bench.state(name))["digest"])).ok


def test_a_delegate_who_is_away_hands_nothing_on() -> None:
    people = Directory({each.id: each for each in (person("ana", "sre"), person("bo"), person("cai"))})
    ballot = Ballot(Policy(name="p", require=(Requirement(group="sre"),)), people, frozenset())
    lent = [
        Proxy(id=1, delegator="ana", delegate="bo", until=1, strength=Assurance.CHAT),
        Proxy(id=2, delegator="bo", delegate="cai", until=1, strength=Assurance.CHAT),
    ]

    assert [each.id for each in asked_people(ballot, ["ana"], lent)] == ["bo"]
    assert asked_people(ballot, ["ana", "bo"], lent) == []
    assert [each.id for each in asked_people(ballot, ["bo"], lent)] == ["ana"]


@pytest.mark.anyio
async def test_an_approval_taken_back_with_its_delegation_is_in_review_again_and_nothing_ran(tmp_path: Path) -> None:
    manual = ACTIONS.replace("    apply:", "    start: manual\n    apply:")
    async with running(make_hub(tmp_path, people=PEOPLE, actions=manual)) as bench:
        assert (await bench.say("bo", "delegate to @eve until 2h")).ok
        name = await bench.request()
        digest = (await bench.state(name))["digest"]
        assert (await bench.ask("eve", "approve", ids=[name], digest=digest)).ok
        assert (await bench.say("bo", "undelegate")).ok
        assert (await bench.ask("ana", "apply", ids=[name])).ok
        await bench.until_state(name, "REVIEWING")
        seen = await bench.state(name)
        assert (seen["digest"], seen["requirements"][0]["have"], seen["run"]) == (digest, 0, None)
        assert await bench.events("apply:") == []
        assert (await bench.ask("cai", "approve", ids=[name], digest=digest)).ok
