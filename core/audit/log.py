"""Appending to the log, inside the writer's transaction.

seq is dense from 1 and given here, after all functions of a batch ran; the tree in memory is replaced
only after COMMIT, so a batch that fails leaves no trace in it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, insert, select, update

from core.audit.entry import Draft, seal
from core.audit.merkle import Tree
from core.store import schema
from core.store.statement import Statement

if TYPE_CHECKING:
    from core.store.engine import Engine

_HEAD = Statement(select(schema.log_head).where(schema.log_head.c.id == 1))
_NEW_HEAD = Statement(insert(schema.log_head), ("id", "origin", "size", "ts", "frontier"))
_SET_HEAD = Statement(
    update(schema.log_head)
    .where(schema.log_head.c.id == 1)
    .values(size=bindparam("size"), ts=bindparam("ts"), frontier=bindparam("frontier"))
)
_ENTRY = Statement(insert(schema.log), ("seq", "entry", "leaf_hash", "ts", "event", "actor", "subject", "channel"))
_VALUE = Statement(insert(schema.log_value), ("seq", "field", "salt", "value"))


class Committed(NamedTuple):
    """An entry that is durable, with its private values, as readers and the live feed see it."""

    seq: int
    ts: int
    event: str
    actor: str | None
    subject: str | None
    channel: str | None
    details: Mapping[str, Any]
    private: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The head as it will be if the transaction commits."""

    tree: Tree
    ts: int
    committed: list[Committed]


class LogHead:
    """The log's end: its origin, its tree and its last time. Only the writer's thread changes it."""

    def __init__(self, *, origin: str, tree: Tree, ts: int) -> None:
        self.origin = origin
        self.tree = tree
        self.ts = ts

    @classmethod
    def load(cls, engine: Engine) -> LogHead:
        """The head as stored; a log without one is begun here, with a random origin."""
        row = engine.one(_HEAD, {})
        if row is None:
            origin = f"interlock.log/{secrets.token_hex(8)}"
            now_us = engine.begin(())
            values = {"id": 1, "origin": origin, "size": 0, "ts": now_us, "frontier": b""}
            engine.execute(_NEW_HEAD.sql(engine.dialect), values)
            engine.commit()
            return cls(origin=origin, tree=Tree(), ts=now_us)
        return cls(
            origin=row["origin"], tree=Tree.from_frontier(row["size"], bytes(row["frontier"])), ts=int(row["ts"])
        )

    @property
    def size(self) -> int:
        """How many entries are durable."""
        return self.tree.size

    def append(self, engine: Engine, drafts: list[Draft], now_us: int) -> Candidate:
        """Write the drafts as the next entries; nothing in memory changes until `replace`."""
        head = self._current(engine)
        tree = head.tree.copy()
        ts = max(now_us, head.ts)
        entries: list[dict[str, Any]] = []
        values: list[dict[str, Any]] = []
        committed: list[Committed] = []
        for draft in drafts:
            seq = tree.size + 1
            sealed = seal(draft, origin=self.origin, seq=seq, ts=ts)
            tree.append(sealed.leaf_hash)
            entries.append(
                {
                    "seq": seq,
                    "entry": sealed.entry,
                    "leaf_hash": sealed.leaf_hash,
                    "ts": ts,
                    "event": draft.event,
                    "actor": draft.actor,
                    "subject": draft.subject,
                    "channel": draft.channel,
                }
            )
            for field, salt, value in sealed.values:
                values.append({"seq": seq, "field": field, "salt": salt, "value": value})
            committed.append(
                Committed(
                    seq=seq,
                    ts=ts,
                    event=draft.event,
                    actor=draft.actor,
                    subject=draft.subject,
                    channel=draft.channel,
                    details=draft.details,
                    private=draft.private,
                )
            )
        engine.execute_many(_ENTRY.sql(engine.dialect), entries)
        if values:
            engine.execute_many(_VALUE.sql(engine.dialect), values)
        engine.execute(_SET_HEAD.sql(engine.dialect), {"size": tree.size, "ts": ts, "frontier": tree.frontier()})
        return Candidate(tree=tree, ts=ts, committed=committed)

    def _current(self, engine: Engine) -> LogHead:
        """The head to append to: ours on SQLite; on PostgreSQL, where other nodes append too, the locked row."""
        if engine.dialect == "sqlite":
            return self
        return LogHead.load(engine)

    def replace(self, candidate: Candidate) -> None:
        """Take the candidate as the head, after COMMIT."""
        self.tree = candidate.tree
        self.ts = candidate.ts
