"""What of an entry somebody may see."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from house import House, housed

from core.audit.log import Committed
from core.errors import Forbidden, Unproven
from core.people.directory import Directory
from core.people.rights import Rights
from hub.contracts import Caller, News
from hub.news import Eyes, eyes_of, follow, show_all

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with housed(tmp_path) as opened:
        yield opened


def eyes(house: House, who: str) -> Eyes:
    principal = house.hub.world.people.find(who)
    assert principal is not None
    return Eyes(house.hub.world, principal)


def entry(event: str, subject: str | None, actor: str = "hub") -> Committed:
    return Committed(
        seq=1,
        ts=0,
        event=event,
        actor=actor,
        subject=subject,
        channel="mail",
        details={"fact": 1},
        private={"address": "ana@example.com"},
    )


async def shown(house: House, who: str, event: str, subject: str | None, actor: str = "hub") -> dict[str, object]:
    (news,) = await show_all(house.hub.db, eyes(house, who), [entry(event, subject, actor)])
    return dict(news.details)


FACT, WHOLE = {"fact": 1}, {"fact": 1, "address": "ana@example.com"}


async def test_private_values_go_to_whom_they_concern(house: House) -> None:
    quiet = (await house.review("dee", "quiet"))["id"]
    said = {
        (who, event, subject): await shown(house, who, event, subject, "bo")
        for who in ("ana", "bo", "cai")
        for event, subject in (
            ("approval:commented", quiet),
            ("delivery:sent", quiet),
            ("lease:acquired", "L1"),
            ("command:refused", None),
        )
    }
    assert said == {
        ("ana", "approval:commented", quiet): {},
        ("ana", "delivery:sent", quiet): {},
        ("ana", "lease:acquired", "L1"): WHOLE,
        ("ana", "command:refused", None): WHOLE,
        ("bo", "approval:commented", quiet): WHOLE,
        ("bo", "delivery:sent", quiet): FACT,
        ("bo", "lease:acquired", "L1"): WHOLE,
        ("bo", "command:refused", None): WHOLE,
        ("cai", "approval:commented", quiet): {},
        ("cai", "delivery:sent", quiet): {},
        ("cai", "lease:acquired", "L1"): WHOLE,
        ("cai", "command:refused", None): FACT,
    }


async def test_an_approval_that_is_not_there_shows_nothing(house: House) -> None:
    assert await shown(house, "bo", "approval:commented", "A999") == {}


async def test_without_the_right_to_read_nothing_is_seen_at_all(house: House) -> None:
    world = replace(house.hub.world, rights=Rights({"read": frozenset({"security"})}))
    cai = world.people.find("cai")
    assert cai is not None
    with pytest.raises(Forbidden):
        Eyes(world, cai)


async def test_a_reader_who_leaves_the_configuration_stops_seeing_with_it(house: House) -> None:
    caller = await house.hub.proofs.prove({"authorization": f"Bearer {await house.key('cai')}"})
    world = house.hub.world
    found: list[News] = []

    async def read() -> None:
        nonlocal world
        following = follow(db=house.hub.db, feed=house.hub.feed, world=lambda: world, caller=caller, after=0)
        async with aclosing(following) as news:
            async for each in news:
                found.append(each)
                world = replace(world, people=Directory({}))

    with pytest.raises(Unproven):
        await read()
    assert len(found) == 1


async def test_the_eyes_of_somebody_unknown_do_not_open(house: House) -> None:
    stranger = Caller(principal="zed", name="Zed", kind="person", assurance=2)  # type: ignore[arg-type]
    with pytest.raises(Unproven):
        eyes_of(house.hub.world, stranger)
