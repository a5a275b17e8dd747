"""`approve all`, `reject all from @… for …`: everything that was shown to who says it, one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from house import CONFIG, House, housed

from commands import deciding
from core.approvals.shown import READING_US, note_shown
from core.people.assurance import Assurance
from core.store.tx import Tx
from hub.contracts import Inbound, Reply, Sender

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with housed(tmp_path) as built:
        yield built


async def say(house: House, who: str, text: str, message: str | None = None) -> Reply:
    return await house.hub.handle(
        Inbound(
            channel="test",
            sender=Sender(principal=who),
            assurance=Assurance.CHAT,
            text=text,
            message_id=message,
            body_hash=text.encode(),
        )
    )


async def shown(house: House, who: str, *seen: dict[str, Any]) -> None:
    """The cards were acknowledged to that person long enough ago."""

    def note(tx: Tx) -> None:
        for each in seen:
            at = tx.now_us - READING_US - 1
            note_shown(tx, approval=int(each["id"][1:]), revision=each["revision"], person=who, at_us=at)

    await house.write(note)


async def states(house: House, *seen: dict[str, Any]) -> list[tuple[str, int]]:
    """State and number of decisions of each."""
    found = [(await house.ask("ana", "GET", f"/v1/approvals/{each['id']}")).json() for each in seen]
    return [(each["state"], len(each["decisions"])) for each in found]


async def test_only_what_was_shown_is_decided_and_the_rest_is_named(house: House) -> None:
    one, two, three = await house.review("cai"), await house.review("cai"), await house.review("cai")
    await shown(house, "bo", one, two)
    reply = await say(house, "bo", "approve all")
    assert reply.ok and [each["id"] for each in reply.data["items"]] == [two["id"], one["id"]]
    assert f"you have not been shown them: {three['id']}" in reply.text
    assert await states(house, one, two, three) == [("REVIEWING", 1), ("REVIEWING", 1), ("REVIEWING", 0)]


async def test_it_is_narrowed_by_who_asked_and_for_what(house: House) -> None:
    a, b = await house.review("cai"), await house.review("ana")
    quiet = await house.review("dee", "quiet")
    await shown(house, "bo", a, b, quiet)
    reply = await say(house, "bo", "reject all from @cai for greet because not now")
    assert [each["id"] for each in reply.data["items"]] == [a["id"]]
    assert await states(house, a, b) == [("REJECTED", 1), ("REVIEWING", 0)]
    reply = await say(house, "bo", "approve all for quiet")
    assert [each["id"] for each in reply.data["items"]] == [quiet["id"]]
    assert (await say(house, "bo", "approve all from @cai")).text == "Nothing like that waits for you."


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("approve all from @nobody", "unknown_person"),
        ("approve all for nothing", "unknown_action"),
        ("approve A1 from @cai", "usage"),
        ("approve A1 A2 for greet", "usage"),
    ],
)
async def test_filters_that_make_no_sense_decide_nothing(house: House, text: str, code: str) -> None:
    one, two = await house.review("cai"), await house.review("cai")
    await shown(house, "bo", one, two)
    assert (await say(house, "bo", text)).code == code
    assert await states(house, one, two) == [("REVIEWING", 0), ("REVIEWING", 0)]


async def test_nobody_decides_on_their_own_that_way_and_agents_not_at_all(house: House) -> None:
    own, other = await house.review("ana"), await house.review("bot")
    await shown(house, "ana", own, other)
    assert (await say(house, "ana", "approve all")).data["items"] == []
    assert (await say(house, "bot", "approve all")).code == "not_a_person"
    assert await states(house, own, other) == [("REVIEWING", 0), ("REVIEWING", 0)]


async def test_said_again_it_gets_the_first_answer_and_decides_nothing_new(house: House) -> None:
    one = await house.review("cai")
    await shown(house, "bo", one)
    first = await say(house, "bo", "approve all", "m1")
    two = await house.review("cai")
    await shown(house, "bo", two)
    again = await say(house, "bo", "approve all", "m1")
    assert (again.repeated, again.text, again.data) == (True, first.text, first.data)
    assert await states(house, two) == [("REVIEWING", 0)]
    recorded = [each for each in await house.events() if each["event"] == "command:received"]
    assert [each["details"] for each in recorded if each["actor"] == "bo"] == [{"verb": "approve", "items": 1}]


async def test_more_than_the_cap_decides_nothing_and_says_how_to_narrow_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "MOST_AT_ONCE", 2)
    seen = [await house.review("cai") for _ in range(3)]
    await shown(house, "bo", *seen)
    reply = await say(house, "bo", "approve all")
    assert (reply.code, "3 requests wait" in reply.text, "from @" in reply.text) == ("too_many", True, True)
    assert await states(house, *seen) == [("REVIEWING", 0)] * 3


async def test_what_changed_since_it_was_shown_is_not_decided(house: House) -> None:
    one, two = await house.review("cai"), await house.review("cai")
    await shown(house, "bo", one, two)
    await say(house, "cai", f"edit {one['id']} name=eve")
    reply = await say(house, "bo", "approve all")
    assert [each["id"] for each in reply.data["items"]] == [two["id"]]


async def test_where_ids_are_typed_all_approves_nothing_and_naming_them_does(tmp_path: Path) -> None:
    typed = CONFIG.replace("require: [{group: sre, count: 2}]", "require: [{group: sre, count: 2}]\n    confirm: typed")
    async with housed(tmp_path, typed) as house:
        one, two = await house.review("cai"), await house.review("cai")
        await shown(house, "bo", one, two)
        reply = await say(house, "bo", "approve all")
        assert [each["code"] for each in reply.data["items"]] == ["confirmation_required"] * 2
        assert await states(house, one, two) == [("REVIEWING", 0)] * 2
        assert (await say(house, "bo", f"approve {one['id'].lower()} {two['id']}")).ok
        assert await states(house, one, two) == [("REVIEWING", 1)] * 2
        assert (await say(house, "ana", "reject all because no")).data["items"] == []
