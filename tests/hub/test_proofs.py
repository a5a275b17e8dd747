"""Proofs: looked up once, gone with the commit that ends them, never stronger than they began."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.clock import SECOND, ManualClock
from core.errors import Unproven
from core.people import keys, sessions
from core.people.assurance import Assurance
from core.people.directory import Directory, Kind, Principal
from core.people.rights import Rights
from core.people.tokens import Tokens
from core.store.database import Database
from core.store.sqlite import SqliteEngine
from core.world import World
from hub import proofs as module
from hub.feed import Feed
from hub.proofs import Proofs, cookie_of

pytestmark = pytest.mark.anyio

ANA = Principal(id="ana", kind=Kind.PERSON, name="Ana")
BOT = Principal(id="bot", kind=Kind.AGENT, name="Bot")


class Desk:
    """Proofs over a real database, with a configuration that a test may change."""

    def __init__(self, db: Database, clock: ManualClock) -> None:
        self.db, self.clock = db, clock
        self.world = World(
            digest="0", root=Path(), public_url="", people=Directory({"ana": ANA, "bot": BOT}), rights=Rights()
        )
        feed = Feed(db)
        db.on_committed = feed.publish
        self.proofs = Proofs(db=db, feed=feed, clock=clock, tokens=Tokens(b"k" * 32), world=lambda: self.world)

    async def key(self, principal: Principal = ANA, *, decide: bool = True) -> str:
        return await self.db.write(lambda tx: keys.create(tx, by="operator", principal=principal, decide=decide))

    async def cookie(self, assurance: Assurance = Assurance.EMAIL) -> str:
        begun = await self.db.write(
            lambda tx: sessions.begin_browser(tx, principal="ana", assurance=assurance, began="mail")
        )
        return f"interlock_session={begun.secret}"

    async def refused(self, **headers: str) -> str:
        with pytest.raises(Unproven) as error:
            await self.proofs.prove(headers)
        return error.value.code


@pytest.fixture
async def desk(sqlite_path: Path, clock: ManualClock) -> AsyncIterator[Desk]:
    async with Database(SqliteEngine(sqlite_path, clock)) as db:
        yield Desk(db, clock)


async def test_a_key_is_looked_up_once_and_proves_chat(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    header = f"Bearer {await desk.key()}"
    first = await desk.proofs.prove({"authorization": header})
    assert (first.principal, first.assurance, first.may_decide) == ("ana", Assurance.CHAT, True)
    monkeypatch.setattr(module.keys, "find", None)
    assert await desk.proofs.prove({"authorization": header}) == first


async def test_agents_and_weak_keys_may_not_decide(desk: Desk) -> None:
    for text in (await desk.key(BOT), await desk.key(decide=False)):
        assert not (await desk.proofs.prove({"authorization": f"Bearer {text}"})).may_decide


async def test_a_revoked_key_is_refused_with_the_commit_that_revokes_it(desk: Desk) -> None:
    text = await desk.key()
    caller = await desk.proofs.prove({"authorization": f"Bearer {text}"})
    assert desk.proofs.valid(caller)
    await desk.db.write(lambda tx: keys.revoke(tx, by="ana", prefix=text[4:12]))
    assert not desk.proofs.valid(caller)
    assert await desk.refused(authorization=f"Bearer {text}") == "key_revoked"


async def test_a_look_up_that_was_under_way_does_not_bring_a_revoked_key_back(desk: Desk) -> None:
    for _ in range(20):
        text = await desk.key()
        looking = asyncio.ensure_future(desk.proofs.authenticate({"authorization": f"Bearer {text}"}))
        await desk.db.write(lambda tx, text=text: keys.revoke(tx, by="ana", prefix=text[4:12]))
        await looking
        assert await desk.refused(authorization=f"Bearer {text}") == "key_revoked"


async def test_a_key_revoked_in_an_earlier_life_is_refused(desk: Desk) -> None:
    text = await desk.key()
    await desk.db.write(lambda tx: keys.revoke(tx, by="ana", prefix=text[4:12]))
    later = Desk(desk.db, desk.clock)
    assert await later.refused(authorization=f"Bearer {text}") == "key_revoked"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "ilk_x", "Bearer ilk_x", "Bearer x.y.z", "Bearer " + "x" * 9_000]
)
async def test_what_is_no_credential_proves_nothing(desk: Desk, header: str) -> None:
    assert (await desk.refused(authorization=header)).startswith("bad_")
    assert await desk.proofs.authenticate({"authorization": header}) is None


async def test_somebody_who_left_proves_nothing_from_then_on(desk: Desk) -> None:
    header, cookie = f"Bearer {await desk.key()}", await desk.cookie()
    callers = [await desk.proofs.prove({"authorization": header}), await desk.proofs.prove({"cookie": cookie})]
    desk.world = replace(desk.world, people=Directory({"bot": BOT}))
    assert [desk.proofs.valid(caller) for caller in callers] == [False, False]
    assert await desk.refused(authorization=header) == "unknown_principal"
    assert await desk.refused(cookie=cookie) == "unknown_principal"


async def test_an_id_that_is_now_of_another_kind_is_somebody_else(desk: Desk) -> None:
    caller = await desk.proofs.prove({"authorization": f"Bearer {await desk.key()}"})
    desk.world = replace(desk.world, people=Directory({"ana": replace(BOT, id="ana")}))
    assert not desk.proofs.valid(caller)


async def test_a_session_is_as_strong_as_it_began_and_ends_with_its_record(desk: Desk) -> None:
    cookie = await desk.cookie(Assurance.EMAIL)
    caller = await desk.proofs.prove({"cookie": cookie})
    assert caller.assurance is Assurance.EMAIL
    name = desk.proofs.session_of(caller) or ""
    await desk.db.write(lambda tx: sessions.end(tx, name, by="ana", why="signed out"))
    assert not desk.proofs.valid(caller)
    assert await desk.refused(cookie=cookie) == "session_ended"


async def test_a_session_in_use_lives_on_and_an_idle_one_does_not(desk: Desk) -> None:
    used, idle = await desk.cookie(), await desk.cookie()
    for _ in range(4):
        await desk.proofs.prove({"cookie": used})
        await desk.db.write(lambda tx: None)  # the note of use is written before this
        desk.clock.advance(sessions.IDLE_SECONDS["browser"] / 2)
    await desk.proofs.prove({"cookie": used})
    assert await desk.refused(cookie=idle) == "session_ended"


async def test_no_use_makes_a_session_outlive_its_week(desk: Desk) -> None:
    cookie = await desk.cookie()
    caller = await desk.proofs.prove({"cookie": cookie})
    for _ in range(14):
        desk.clock.advance(sessions.LIFETIME_SECONDS["browser"] / 14)
        await desk.proofs.authenticate({"cookie": cookie})
        await desk.db.write(lambda tx: None)
    assert not desk.proofs.valid(caller)
    assert await desk.refused(cookie=cookie) == "session_ended"


async def test_a_wall_clock_that_jumps_ends_no_session(desk: Desk) -> None:
    cookie = await desk.cookie()
    desk.clock.jump(10 * 86_400)
    await desk.proofs.prove({"cookie": cookie})


async def test_an_access_token_needs_its_session(desk: Desk) -> None:
    tokens = desk.proofs.tokens
    begun = await desk.db.write(
        lambda tx: sessions.begin_tokens(tx, tokens, principal="ana", assurance=Assurance.CHAT, began="cli")
    )
    now = desk.proofs.now_us()
    good = tokens.access(session=begun.session.id, principal="ana", now_us=now)
    other = tokens.access(session=begun.session.id, principal="bot", now_us=now)
    old = tokens.access(session=begun.session.id, principal="ana", now_us=now - 700 * SECOND)
    browsers = await desk.proofs.prove({"cookie": await desk.cookie()})
    crossed = tokens.access(session=desk.proofs.session_of(browsers) or "", principal="ana", now_us=now)
    assert (await desk.proofs.prove({"authorization": f"Bearer {good}"})).principal == "ana"
    assert await desk.refused(authorization=f"Bearer {other}") == "bad_token"
    assert await desk.refused(authorization=f"Bearer {crossed}") == "bad_token"
    assert await desk.refused(authorization=f"Bearer {old}") == "token_expired"


async def test_what_is_kept_in_memory_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    headers = [f"Bearer {await desk.key()}" for _ in range(5)]
    for header in headers * 2:
        await desk.proofs.prove({"authorization": header})
    assert len(desk.proofs._keys) == 3


async def test_the_use_of_a_key_is_noted_once_in_a_while(desk: Desk) -> None:
    text = await desk.key()
    for _ in range(5):
        await desk.proofs.prove({"authorization": f"Bearer {text}"})
    await desk.db.write(lambda tx: None)
    key = await desk.db.read(keys.find, text[4:12])
    assert key is not None and key.used_at is not None


def test_the_host_bound_cookie_wins() -> None:
    assert cookie_of("a=b; interlock_session=one; __Host-interlock_session=two") == "two"
    assert cookie_of("interlock_session=one; interlock_session=two") == "one"
    assert cookie_of("xinterlock_session=one") is None
