"""Data directories that already hold very much, made in seconds."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Any

from config.hub import build
from config.settings import Settings, read
from core.approvals.approval import find
from core.people.assurance import Assurance
from hub.contracts import Command, Inbound, Sender

_COPY = """
WITH RECURSIVE n(id) AS (SELECT 2 UNION ALL SELECT id + 1 FROM n WHERE id < :count)
INSERT INTO approval ({columns}) SELECT {values} FROM n, (SELECT * FROM approval WHERE id = 1)
"""
_AT_ONCE = 64


async def made_one(root: Path, config: str) -> Settings:
    """A data directory below `root` whose hub took one request for the action `note`, of the agent `bot`, and stopped."""
    path, data = root / "hub.yaml", root / "data"
    path.write_text(config)
    data.mkdir(mode=0o700)
    settings = read(os.environ, config=path, data=data)
    async with build(settings) as hub:
        args = {"action": "note", "params": {"text": "hello"}, "reason": None, "draft": False}
        made = await hub.handle(inbound("bot", command=Command(verb="request", args=args)))
        assert made.ok, made.text
        while (await hub.db.read(find, 1)).state != "REVIEWING":
            await asyncio.sleep(0.01)
    return settings


def copied(settings: Settings, count: int) -> None:
    """Of its one request there are `count`, which the log does not know of."""
    with sqlite3.connect(settings.database) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(approval)")]
        values = ["n.id" if column == "id" else column for column in columns]
        database.execute(_COPY.format(columns=", ".join(columns), values=", ".join(values)), {"count": count})
        database.execute("UPDATE counter SET value = :count WHERE kind = 'approval'", {"count": count})
    database.close()


async def talked(settings: Settings, entries: int) -> None:
    """Its log has at least so many entries more."""
    async with build(settings) as hub:
        for _ in range(0, entries, _AT_ONCE):
            said = await asyncio.gather(*(hub.handle(inbound("ana", text="whoami")) for _ in range(_AT_ONCE)))
            assert all(each.ok for each in said)


def inbound(who: str, **said: Any) -> Inbound:
    """Something said by `who` to a hub in this process."""
    return Inbound(channel="bench", sender=Sender(principal=who), assurance=Assurance.CHAT, **said)
