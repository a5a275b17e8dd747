"""The feed: no gap, no repeat, bounded memory, nobody left waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from core.clock import ManualClock
from core.errors import Unavailable
from core.store.database import Database
from core.store.sqlite import SqliteEngine
from hub.feed import Feed, read_after

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(sqlite_path: object, clock: ManualClock) -> AsyncIterator[Database]:
    async with Database(SqliteEngine(sqlite_path, clock)) as opened:  # type: ignore[arg-type]
        yield opened


def joined(db: Database, *, recent: int = 4_096) -> Feed:
    feed = Feed(db, recent=recent)
    db.on_committed = feed.publish
    return feed


async def write(db: Database, count: int, subject: str = "A1") -> None:
    for _ in range(count):
        await db.write(
            lambda tx: tx.record("approval:commented", actor="ana", subject=subject, private={"comment": "well"})
        )


async def take(feed: Feed, after: int | None, count: int, **how: object) -> list[int]:
    found: list[int] = []
    async with aclosing(feed.subscribe(after, **how)) as entries:  # type: ignore[arg-type]
        async for entry in entries:
            found.append(entry.seq)
            if len(found) == count:
                break
    return found


async def test_a_reader_gets_what_was_and_then_what_comes_without_gap_or_repeat(db: Database) -> None:
    feed = joined(db)
    await write(db, 20)
    reading = asyncio.create_task(take(feed, 5, 35))
    await write(db, 20)
    assert await reading == list(range(6, 41))


async def test_many_readers_and_writers_at_once_see_every_entry_in_order(db: Database) -> None:
    feed = joined(db, recent=8)
    readers = [asyncio.create_task(take(feed, start, 200 - start)) for start in (0, 3, 50, 120)]
    await asyncio.gather(*(write(db, 40) for _ in range(5)))
    for start, seqs in zip((0, 3, 50, 120), await asyncio.gather(*readers), strict=True):
        assert seqs == list(range(start + 1, 201))


async def test_private_values_come_from_the_table_beside_the_log(db: Database) -> None:
    joined(db)
    await write(db, 1)
    (entry,) = await db.read(read_after, 0)
    assert entry.private == {"comment": "well"}


async def test_a_replay_and_the_live_feed_say_the_same(db: Database) -> None:
    live: list[object] = []
    feed = joined(db)
    feed.listen(live.extend)
    await write(db, 3)
    assert await db.read(read_after, 0) == live


async def test_events_can_be_narrowed(db: Database) -> None:
    feed = joined(db)
    await write(db, 3)
    await db.write(lambda tx: tx.record("hub:started", actor="hub"))
    assert await take(feed, 0, 1, events=frozenset({"hub:started"})) == [4]


async def test_without_a_seq_only_what_comes_is_given(db: Database) -> None:
    feed = joined(db)
    await write(db, 3)
    reading = asyncio.create_task(take(feed, None, 1))
    while not feed.subscribers:
        await asyncio.sleep(0)
    await write(db, 1)
    assert await reading == [4]


async def test_a_reader_that_falls_too_far_behind_is_dropped_and_no_memory_grows(db: Database) -> None:
    feed = joined(db, recent=16)
    async with aclosing(feed.subscribe(None, limit=10)) as entries:
        first = asyncio.ensure_future(anext(entries))
        while not feed.subscribers:
            await asyncio.sleep(0)
        await write(db, 1)
        await first
        await write(db, 30)
        with pytest.raises(Unavailable) as dropped:
            async for _ in entries:
                pass
    assert dropped.value.code == "too_slow"
    assert len(feed._ring) == 16


async def test_a_long_replay_is_not_dropped(db: Database) -> None:
    await write(db, 40)
    feed = joined(db)
    assert await take(feed, 0, 40, limit=10) == list(range(1, 41))


async def test_entries_of_another_node_are_found_in_the_database(db: Database) -> None:
    feed = Feed(db)
    await write(db, 5)  # nobody tells the feed of these
    db.on_committed = feed.publish
    await write(db, 1)
    assert await take(feed, 0, 6) == [1, 2, 3, 4, 5, 6]


async def test_a_watcher_is_woken_by_news_of_its_subject_alone(db: Database) -> None:
    feed = joined(db)
    with feed.watch("A1") as mine, feed.watch("A2") as other:
        await write(db, 1, "A1")
        async with asyncio.timeout(5):
            await mine.wait()
        assert not other.is_set()
    assert not feed._watched


async def test_closing_ends_readers_and_wakes_watchers(db: Database) -> None:
    feed = joined(db)
    reading = asyncio.create_task(take(feed, None, 1))
    while not feed.subscribers:
        await asyncio.sleep(0)
    with feed.watch("A1") as news:
        feed.close()
        assert news.is_set()
    assert await reading == []
    assert feed.subscribers == 0
