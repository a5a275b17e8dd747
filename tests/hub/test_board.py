"""The board: what somebody who looks is shown, and what counts as shown to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hubs import ACTIONS, Bench, make_hub, running, until
from sqlalchemy import select

from core.people.assurance import Assurance
from core.store import schema
from core.store.statement import Statement
from core.world import Channel
from hub.contracts import Caller, Post, Powers

SHOWN = Statement(select(schema.shown).order_by(schema.shown.c.person))
SECRET_ACTION = """
  quiet:
    title: "Do a quiet thing"
    visible_to: [admins]
    apply: {command: ["true"]}
"""


class Screen:
    """A live channel: it keeps the pictures that it was given while somebody looked."""

    def __init__(self, channel: Channel, hub: Any) -> None:
        self.powers = Powers()
        self.watched = True
        self.pictures: list[Post] = []

    def routes(self) -> list[Any]:
        return []

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        yield

    def picture(self, post: Post) -> None:
        self.pictures.append(post)

    async def post(self, post: Post) -> str:
        raise AssertionError("a live channel has no outbox")

    async def update(self, reference: str, post: Post) -> str:
        raise AssertionError("a live channel has no outbox")

    def address_of(self, identities: Any, email: str | None) -> str | None:
        return None

    async def check(self) -> list[str]:
        return []


def caller(who: str) -> Caller:
    return Caller(principal=who, name=who, kind="person", assurance=Assurance.SIGNED_IN)


@asynccontextmanager
async def bench_on(folder: Path) -> AsyncIterator[tuple[Bench, Screen]]:
    hub = make_hub(
        folder,
        actions=ACTIONS + SECRET_ACTION,
        channels="channels:\n  screen: {adapter: screen}\n",
        adapters={"screen": Screen},
    )
    async with running(hub) as bench:
        screen: Screen = bench.channels["screen"]
        yield bench, screen


@pytest.mark.anyio
async def test_who_looks_sees_each_change_with_buttons_that_work(tmp_path: Path) -> None:
    async with bench_on(tmp_path) as (bench, screen):
        name = await bench.request()
        await until(lambda: any(post.card.state == "REVIEWING" for post in screen.pictures))
        token = next(b.token for b in screen.pictures[-1].card.buttons if b.choice == "reject")
        assert (await bench.press("bo", token, "no")).ok
        await until(lambda: screen.pictures[-1].card.state == "REJECTED")
        assert screen.pictures[-1].card.approval == name
        assert screen.pictures[-1].card.buttons == ()
        assert await bench.events("delivery:") == []


@pytest.mark.anyio
async def test_nothing_is_drawn_for_nobody(tmp_path: Path) -> None:
    async with bench_on(tmp_path) as (bench, screen):
        screen.watched = False
        await bench.request()
        await asyncio.sleep(0.1)
        assert screen.pictures == []


@pytest.mark.anyio
async def test_an_approval_for_some_groups_is_drawn_for_them_and_not_found_by_others(tmp_path: Path) -> None:
    async with bench_on(tmp_path) as (bench, screen):
        reply = await bench.ask("ana", "request", action="quiet")
        assert reply.approval is not None, reply
        name = reply.approval["id"]
        await bench.until_state(name, "REVIEWING")
        await until(lambda: bool(screen.pictures))
        assert screen.pictures[-1].audience == {"ana", "bo", "cai"}  # the requester, and who could decide
        assert (await bench.hub.card(caller("bo"), name)).ok
        hidden = await bench.hub.card(caller("dee"), name)
        assert (hidden.ok, hidden.code, hidden.card) == (False, "not_found", None)
        assert await bench.hub.cards(caller("dee")) == []
        assert [each.card.approval for each in await bench.hub.cards(caller("cai")) if each.card] == [name]


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["A99", "L1", "nonsense", "A0", "A" + "9" * 40])
async def test_what_is_not_there_is_answered_in_words(tmp_path: Path, name: str) -> None:
    async with bench_on(tmp_path) as (bench, _):
        reply = await bench.hub.card(caller("ana"), name)
        assert not reply.ok
        assert reply.text


@pytest.mark.anyio
async def test_only_people_and_only_the_revision_under_review_count_as_shown(tmp_path: Path) -> None:
    async with bench_on(tmp_path) as (bench, _):
        name = await bench.request()
        bench.hub.showed(name, 1, ["bo", "deploy-bot", "nobody"])
        bench.hub.showed(name, 2, ["cai"])
        bench.hub.showed("A77", 1, ["cai"])

        async def written() -> bool:
            return bool(await bench.hub.db.read(lambda reader: reader.all(SHOWN)))

        await until(written)
        await asyncio.sleep(0.05)
        rows = await bench.hub.db.read(lambda reader: reader.all(SHOWN))
        assert {row["person"] for row in rows} - {"ana"} == {"bo"}  # Ana looked at it herself
