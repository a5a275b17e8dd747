"""Signing the log: every 1,000 entries, every 60 s with news, at a clean stop and on demand."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import bindparam, insert, select, update

from core.audit.anchors import Anchor, Anchors, parse_anchor
from core.audit.keys import SigningKey
from core.audit.log import Committed
from core.audit.merkle import Tree
from core.audit.note import Checkpoint, sign
from core.people.directory import HUB
from core.store import schema
from core.store.database import Database
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World

EVERY_ENTRIES = 1_000
EVERY_SECONDS = 60.0

_T = schema.checkpoint
_NEW = Statement(insert(_T), ("size", "note", "at"))
_LATEST = Statement(select(_T).order_by(_T.c.size.desc()).limit(1))
_HEAD = Statement(select(schema.log_head))
_SIGNED = Statement(
    update(schema.log_head).where(schema.log_head.c.id == 1).values(signed_size=bindparam("signed_size"))
)

logger = logging.getLogger("interlock.checkpoints")


def latest(reader: Reader) -> str | None:
    """The newest signed note, or None before the first."""
    row = reader.one(_LATEST)
    return row["note"] if row is not None else None


class Checkpoints:
    """Keeps the log signed. Only what is committed is signed; a checkpoint's own entry is no news."""

    def __init__(self, db: Database, key: SigningKey, data: Path, world: Callable[[], World]) -> None:
        self._db = db
        self._key = key
        self._own = Anchor(data / "checkpoints.log")
        self._world = world
        self._news = 0
        self._due = asyncio.Event()
        self._lock = asyncio.Lock()
        self._anchors: tuple[tuple[str, ...], Anchors] | None = None
        self.problems: dict[str, str] = {}
        """Anchor -> why the last checkpoint did not reach it."""

    def notice(self, entries: list[Committed]) -> None:
        """Count a commit's entries."""
        self._news += sum(entry.event != "log:checkpoint" for entry in entries)
        if self._news >= EVERY_ENTRIES:
            self._due.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._due.wait()
            except TimeoutError:
                pass
            self._due.clear()
            if self._news:
                try:
                    await self.sign()
                except Exception:
                    logger.exception("the log could not be signed; it is tried again")

    async def sign(self) -> str:
        """The note of the log as committed now, signed, stored, and sent to the anchors."""
        async with self._lock:
            size, root, origin = await self._committed()
            self._news = 0
            checkpoint = Checkpoint(origin=origin, size=size, root=root)
            note = sign(checkpoint.text, [self._key]).render()
            await self._db.write(_store, size, root, note, urgent=True)
            await asyncio.to_thread(self._publish, note)
            return note

    async def _committed(self) -> tuple[int, bytes, str]:
        """Size, root and origin of what is durable: on SQLite from the writer's own tree, which no edit of the file
        can reach; on PostgreSQL, where other nodes append too, from the stored head."""
        if self._db.dialect == "sqlite":
            tree = self._db.log.tree
            return tree.size, tree.root(), self._db.log.origin
        return await self._db.read(_root)

    def _publish(self, note: str) -> None:
        own = self._own.append(note)
        configured = self._world().anchors
        if self._anchors is None or self._anchors[0] != configured:
            paths = [parse_anchor(text, root=self._world().root) for text in configured]
            self._anchors = (configured, Anchors(paths))
        self.problems = {
            str(each.path): each.problem for each in (own, *self._anchors[1].append(note)) if each.problem is not None
        }
        for path, problem in self.problems.items():
            logger.warning("the anchor %s did not take a checkpoint: %s", path, problem)


def _root(reader: Reader) -> tuple[int, bytes, str]:
    row = reader.one(_HEAD)
    assert row is not None
    return row["size"], Tree.from_frontier(row["size"], bytes(row["frontier"])).root(), row["origin"]


def _store(tx: Tx, size: int, root: bytes, note: str) -> None:
    newest = tx.one(_LATEST)
    if newest is not None and newest["size"] >= size:
        return
    tx.run(_NEW, size=size, note=note, at=tx.now_us)
    tx.run(_SIGNED, signed_size=size)
    tx.record("log:checkpoint", actor=HUB.id, details={"size": size, "root": b64encode(root).decode()})
