"""Copies of cards: each is made, brought up to date and retired, and none of them decides."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from hubs import POLICY, Bench, Chat, make_hub, running, until
from sqlalchemy import func, select

from core.clock import SECOND
from core.store import schema
from core.store.statement import Statement
from hub.breaker import Breaker, backoff
from hub.contracts import DeliveryFailed
from hub.hub import Hub

CHANNELS = "channels:\n  chat: {adapter: chat}\n"
COPIES = Statement(select(schema.delivery).order_by(schema.delivery.c.id))
PRESSES = Statement(select(func.count().label("n")).select_from(schema.press))


def make(folder: Path, *, edit: bool = True, **more: Any) -> Hub:
    hub = make_hub(folder, **{"channels": CHANNELS, "adapters": {"chat": lambda c, h: Chat(c, h, edit=edit)}} | more)
    hub.delivery._draw = lambda: 0.0
    hub.delivery._poll_seconds = 0.05
    return hub


def chat_of(bench: Bench) -> Chat:
    chat: Chat = bench.channels["chat"]
    return chat


async def copies(bench: Bench) -> list[Any]:
    return await bench.hub.db.read(lambda reader: reader.all(COPIES))


@pytest.mark.anyio
async def test_each_eligible_person_is_asked_where_they_can_be_reached_and_the_requester_is_not(
    tmp_path: Path,
) -> None:
    async with running(make(tmp_path)) as bench:
        await bench.request()
        chat = chat_of(bench)
        await until(lambda: len(chat.posts) == 2)
        assert sorted(post.address for _, post in chat.posts) == ["@bo", "@cai"]
        assert {post.recipient for _, post in chat.posts} == {"bo", "cai"}
        assert all(post.event == "approval:requested" for _, post in chat.posts)
        choices = [button.choice for button in chat.posts[0][1].card.buttons]
        assert choices == ["approve", "reject", "request-changes"]
        await until(lambda: has_events(bench, "delivery:sent", 2))


async def has_events(bench: Bench, event: str, count: int) -> bool:
    return len(await bench.events(event)) == count


@pytest.mark.anyio
async def test_a_policy_says_whom_to_ask(tmp_path: Path) -> None:
    policies = 'policies:\n  - {name: default, require: [{group: sre, count: 1}], ask: ["chat:#prod", page]}\n'
    async with running(make(tmp_path, policies=policies)) as bench:
        await bench.request()
        await until(lambda: len(chat_of(bench).posts) == 1)
        assert chat_of(bench).posts[0][1].address == "#prod"
        assert chat_of(bench).posts[0][1].recipient is None
        assert len(await copies(bench)) == 1


@pytest.mark.anyio
async def test_at_most_ten_people_are_asked_one_by_one(tmp_path: Path) -> None:
    people = "people:\n" + "".join(
        f"  p{n:02}: {{name: P{n}, email: p{n:02}@example.com, groups: [sre, admins]}}\n" for n in range(15)
    )
    async with running(make(tmp_path, people=people)) as bench:
        reply = await bench.ask("p00", "request", action="note", params={"text": "x"})
        assert reply.ok
        await until(lambda: len(chat_of(bench).posts) == 10)
        await asyncio.sleep(0.1)
        assert len(await copies(bench)) == 10


@pytest.mark.anyio
async def test_where_it_was_asked_from_gets_a_copy_too(tmp_path: Path) -> None:
    people = "people:\n  ana: {name: Ana, groups: [sre], email: ana@example.com}\n  bo: {name: Bo, groups: [sre]}\n"
    async with running(make(tmp_path, people=people)) as bench:
        reply = await bench.say("ana", "note hello", channel="chat", answer_to="thread 7")
        assert reply.ok
        await until(lambda: len(chat_of(bench).posts) == 1)
        assert chat_of(bench).posts[0][1].address == "thread 7"


@pytest.mark.anyio
async def test_after_a_decision_every_copy_shows_who_decided_and_has_no_buttons(tmp_path: Path) -> None:
    async with running(make(tmp_path)) as bench:
        name = await bench.request()
        chat = chat_of(bench)
        await until(lambda: len(chat.posts) == 2)
        token = next(b.token for b in chat.at("@bo")[0].card.buttons if b.choice == "reject")
        assert (await bench.press("bo", token, "not today")).ok
        await until(lambda: len(chat.posts) == 4)
        for address in ("@bo", "@cai"):
            last = chat.at(address)[-1]
            assert last.card.buttons == () and last.card.final
            assert last.card.summary == "Rejected by Bo Lind in page: not today; nothing ran."
            assert last.event == "approval:rejected"
        updates = [(reference, post) for reference, post in chat.posts if post.card.final]
        assert all(reference and reference.endswith(f"in {post.address}") for reference, post in updates)
        await until(lambda: has_events(bench, "delivery:updated", 2))
        assert {row["state"] for row in await copies(bench)} == {"done"}
        assert (await bench.state(name))["state"] == "REJECTED"


@pytest.mark.anyio
async def test_only_the_latest_state_is_delivered(tmp_path: Path) -> None:
    async with running(make(tmp_path)) as bench:
        chat = chat_of(bench)
        chat.hold = asyncio.Event()
        name = await bench.request()
        await until(lambda: chat.tries == 2)
        await bench.ask("bo", "reject", ids=[name], digest=(await bench.state(name))["digest"], comment="no")
        chat.hold.set()
        await until(lambda: len(chat.posts) == 4)
        await asyncio.sleep(0.1)
        assert [post.card.state for post in chat.at("@bo")] == ["REVIEWING", "REJECTED"]
        assert chat.tries == 4


@pytest.mark.anyio
async def test_what_fails_is_tried_again_and_both_are_recorded(tmp_path: Path) -> None:
    async with running(make(tmp_path)) as bench:
        chat = chat_of(bench)
        chat.failures = [DeliveryFailed("no answer"), RuntimeError("a bug"), DeliveryFailed("no answer")]
        await bench.request()
        await until(lambda: len(chat.posts) == 2)
        await until(lambda: has_events(bench, "delivery:sent", 2))
        assert len(await bench.events("delivery:failed")) == 3
        assert {row["attempts"] for row in await copies(bench)} == {0}


@pytest.mark.anyio
async def test_a_channel_that_asks_for_fewer_is_left_alone_for_as_long(tmp_path: Path) -> None:
    async with running(make(tmp_path)) as bench:
        chat = chat_of(bench)
        slow = DeliveryFailed("slow down", throttled=True, retry_after_seconds=30)
        chat.failures = [slow, slow]
        name = await bench.request()
        await until(lambda: has_events(bench, "delivery:throttled", 2))
        rows = await copies(bench)
        assert all(row["due_at"] - row["updated_at"] >= 30 * SECOND for row in rows)
        assert {row["attempts"] for row in rows} == {0}
        assert not bench.hub.delivery.works("chat")
        await bench.ask("bo", "reject", ids=[name], digest=(await bench.state(name))["digest"], comment="no")
        await asyncio.sleep(0.2)
        assert chat.tries == 2


@pytest.mark.anyio
async def test_what_can_never_be_delivered_is_given_up_visibly_and_decides_nothing(tmp_path: Path) -> None:
    async with running(make(tmp_path)) as bench:
        chat = chat_of(bench)
        chat.failures = [DeliveryFailed("no such room", permanent=True), DeliveryFailed("no such room", permanent=True)]
        name = await bench.request()
        await until(lambda: has_events(bench, "delivery:dead", 2))
        assert [(row["state"], row["error"]) for row in await copies(bench)] == [("dead", "no such room")] * 2
        assert (await bench.state(name))["state"] == "REVIEWING"
        approved = await bench.ask("bo", "approve", ids=[name], digest=(await bench.state(name))["digest"])
        assert approved.ok
        await asyncio.sleep(0.2)
        assert chat.tries == 2


@pytest.mark.anyio
async def test_a_copy_of_a_channel_that_is_no_longer_configured_is_given_up(tmp_path: Path) -> None:
    async with running(make(tmp_path)) as bench:
        chat_of(bench).failures = [DeliveryFailed("later", retry_after_seconds=0.2) for _ in range(2)]
        await bench.request()
        await until(lambda: has_events(bench, "delivery:failed", 2))
        del bench.hub.adapters["chat"]
        await until(lambda: has_events(bench, "delivery:dead", 2))


@pytest.mark.anyio
async def test_a_hub_that_died_in_the_middle_of_a_post_finishes_it_after_the_start(tmp_path: Path) -> None:
    async with running(make(tmp_path)) as bench:
        chat_of(bench).hold = asyncio.Event()
        name = await bench.request()
        await until(lambda: chat_of(bench).tries == 2)
        assert {row["state"] for row in await copies(bench)} == {"pending"}
        for task in bench.hub.delivery._busy.values():
            task.cancel()
    async with running(make(tmp_path)) as bench:
        await until(lambda: len(chat_of(bench).posts) == 2)
        token = chat_of(bench).posts[0][1].card.buttons[0].token
        assert (await bench.press("bo", token)).ok
        assert (await bench.state(name))["state"] != "REVIEWING"


@pytest.mark.anyio
async def test_drawing_a_copy_again_makes_the_same_tokens_and_no_more_rows(tmp_path: Path) -> None:
    async with running(make(tmp_path)) as bench:
        chat = chat_of(bench)
        chat.failures = [DeliveryFailed("once more") for _ in range(4)]
        await bench.request()
        await until(lambda: len(chat.posts) == 2)
        row = await bench.hub.db.read(lambda reader: reader.one(PRESSES))
        assert row is not None
        assert row["n"] == 3 * 3 + 2  # the page and two copies, three choices each, and each copy itself
    tokens = {b.token for _, post in chat.posts for b in post.card.buttons}
    assert len(tokens) == 6
    assert all(token and len(token) == 32 for token in tokens)


@pytest.mark.anyio
async def test_attempts_at_one_version_carry_one_message_id_and_versions_different_ones(tmp_path: Path) -> None:
    async with running(
        make(
            tmp_path,
            people="""
people:
  ana: {name: Ana, email: ana@example.com, groups: [sre, admins]}
  bo: {name: Bo, email: bo@example.com, groups: [sre]}
""",
        )
    ) as bench:
        chat = chat_of(bench)
        seen: list[str] = []
        take = chat._take

        async def note(reference: str | None, post: Any) -> str:
            seen.append(post.key)
            return await take(reference, post)

        chat._take = note  # type: ignore[method-assign]
        chat.failures = [DeliveryFailed("once more")]
        name = await bench.request()
        await until(lambda: len(chat.posts) == 1)
        await bench.ask("bo", "reject", ids=[name], digest=(await bench.state(name))["digest"], comment="no")
        await until(lambda: len(chat.posts) == 2)
        assert seen[0] == seen[1] != seen[2]


@pytest.mark.anyio
async def test_a_typed_decision_rests_on_the_copy_that_reached_the_person(tmp_path: Path) -> None:
    async with running(make(tmp_path)) as bench:
        name = await bench.request()
        await until(lambda: has_events(bench, "delivery:sent", 2))
        now = bench.hub.db.now_us()
        early = await bench.say("bo", f"approve {name}", said_at_us=now + 2 * SECOND)
        assert (early.ok, early.code) == (False, "not_shown_yet")
        assert (await bench.say("bo", f"approve {name}", said_at_us=now + 6 * SECOND)).ok


@pytest.mark.anyio
async def test_a_channel_that_cannot_edit_gets_the_beginning_and_the_end(tmp_path: Path) -> None:
    policies = POLICY.replace("count: 1", "count: 2")
    people = """
people:
  ana: {name: Ana, email: ana@example.com, groups: [sre, admins]}
  bo: {name: Bo, email: bo@example.com, groups: [sre]}
  cai: {name: Cai, email: cai@example.com, groups: [sre]}
"""
    async with running(make(tmp_path, edit=False, policies=policies, people=people)) as bench:
        chat = chat_of(bench)
        name = await bench.request()
        await until(lambda: len(chat.posts) == 2)
        digest = (await bench.state(name))["digest"]
        assert (await bench.ask("bo", "approve", ids=[name], digest=digest)).ok
        await until(lambda: all_up_to_date(bench))
        assert len(chat.posts) == 2
        assert (await bench.ask("cai", "reject", ids=[name], digest=digest, comment="no")).ok
        await until(lambda: len(chat.posts) == 4)
        assert [reference for reference, _ in chat.posts] == [None] * 4
        assert [post.card.state for post in chat.at("@bo")] == ["REVIEWING", "REJECTED"]


async def all_up_to_date(bench: Bench) -> bool:
    rows = await copies(bench)
    return all(row["desired"] == row["rendered"] for row in rows)


@pytest.mark.anyio
async def test_copies_in_one_place_come_one_after_the_other(tmp_path: Path) -> None:
    policies = 'policies:\n  - {name: default, require: [{group: sre, count: 1}], ask: ["chat:#prod"]}\n'
    async with running(make(tmp_path, policies=policies)) as bench:
        chat = chat_of(bench)
        chat.hold = asyncio.Event()
        names = [await bench.request(f"n{n}") for n in range(4)]
        await asyncio.sleep(0.1)
        assert chat.tries == 1
        chat.hold.set()
        await until(lambda: len(chat.posts) == 4)
        assert [post.card.approval for _, post in chat.posts] == names


def test_backoff_draws_below_a_bound_that_doubles_up_to_ten_minutes() -> None:
    drawn = random.Random(7)
    for attempts, bound in [(0, 1), (1, 2), (5, 32), (9, 512), (10, 600), (1000, 600)]:
        waits = [backoff(attempts, drawn.random) for _ in range(200)]
        assert 0 <= min(waits) < bound / 2 < max(waits) <= bound


def test_a_breaker_leaves_a_failing_channel_alone_then_lets_one_attempt_through() -> None:
    breaker = Breaker()
    for at in range(5):
        assert breaker.admit(float(at))
        breaker.failed(float(at))
    assert not breaker.works(4.0)
    assert not breaker.admit(8.9)
    assert breaker.admit(9.0)
    assert not breaker.admit(9.0)
    breaker.failed(9.0)
    assert not breaker.admit(18.9)
    assert breaker.admit(19.0)
    breaker.succeeded()
    assert breaker.works(19.0) and breaker.admit(19.0) and breaker.admit(19.0)


def test_a_throttled_channel_is_no_failing_one() -> None:
    breaker = Breaker()
    for _ in range(9):
        breaker.throttled(0.0, 3.0)
    assert not breaker.admit(2.9)
    assert breaker.works(3.0) and breaker.admit(3.0)
