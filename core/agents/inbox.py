"""Messages to agents. Each is kept until the agent acknowledges it; one that it leaves unanswered goes to its owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import BigInteger, bindparam, func, insert, null, select, update

from core import ids
from core.clock import SECOND, rfc3339
from core.errors import TooFast
from core.people.directory import HUB, Principal
from core.store import schema
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx

FIRST_PAUSE_SECONDS = 60.0
"""How long the first telling has for an answer; each further one has twice as long."""
TELLINGS = 3
"""Tellings without an answer after which its owner is told."""
MOST_WAITING = 50
MOST_GIVEN = 20

Purpose = Literal["message", "pause", "resume"]

_T = schema.agent_message
_FIELDS = tuple(column.name for column in _T.columns)
_NEW = Statement(insert(_T), _FIELDS)
_FIND = Statement(select(_T).where(_T.c.id == bindparam("id"), _T.c.agent == bindparam("agent")))
_WAITING = Statement(
    select(_T)
    .where(_T.c.agent == bindparam("agent"), _T.c.acknowledged_at.is_(None))
    .order_by(_T.c.id)
    .limit(MOST_GIVEN)
)
_COUNT = Statement(
    select(func.count().label("n")).where(_T.c.agent == bindparam("agent"), _T.c.acknowledged_at.is_(None))
)
_ACKNOWLEDGE = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.acknowledged_at.is_(None))
    .values(acknowledged_at=bindparam("at"), answer=bindparam("answer"), due_at=null())
)
_NEXT = Statement(select(func.min(_T.c.due_at).label("at")))
_DUE = Statement(
    select(_T).where(_T.c.due_at <= bindparam("now", type_=BigInteger())).order_by(_T.c.due_at, _T.c.id).limit(50)
)
_TOLD = Statement(
    update(_T).where(_T.c.id == bindparam("w_id")).values(tellings=bindparam("tellings"), due_at=bindparam("due_at"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as it is stored; times in microseconds."""

    id: int
    agent: str
    sender: str
    purpose: Purpose
    text: str
    created_at: int
    tellings: int
    due_at: int | None
    acknowledged_at: int | None
    answer: str | None

    @property
    def name(self) -> str:
        """The id that is typed: `M3`."""
        return ids.show("M", self.id)

    def as_json(self) -> dict[str, Any]:
        """`{id, agent, from, purpose, text, at, tellings, acknowledged_at, answer}`."""
        return {
            "id": self.name,
            "agent": self.agent,
            "from": self.sender,
            "purpose": self.purpose,
            "text": self.text,
            "at": rfc3339(self.created_at),
            "tellings": self.tellings,
            "acknowledged_at": rfc3339(self.acknowledged_at) if self.acknowledged_at is not None else None,
            "answer": self.answer,
        }


def tell(tx: Tx, agent: Principal, *, by: Principal, channel: str, text: str, purpose: Purpose = "message") -> Message:
    """The message waits for the agent. Raises TooFast `inbox_full`."""
    row = tx.one(_COUNT, agent=agent.id)
    if purpose == "message" and row is not None and row["n"] >= MOST_WAITING:
        raise TooFast(
            "inbox_full",
            f"{MOST_WAITING} messages wait for {agent.id} already",
            retry_after_seconds=FIRST_PAUSE_SECONDS,
        )
    values: dict[str, Any] = dict.fromkeys(_FIELDS)
    values |= {"id": tx.next_id("agent_message"), "agent": agent.id, "sender": by.id, "purpose": purpose, "text": text}
    values |= {"created_at": tx.now_us, "tellings": 1, "due_at": _due(tx.now_us, 1)}
    tx.run(_NEW, **values)
    message = Message(**values)
    tx.record(
        "agent:told",
        actor=by.id,
        subject=agent.id,
        channel=channel,
        details={"message": message.name, "purpose": purpose, "telling": 1},
        private={"text": text},
    )
    return message


def waiting(reader: Reader, agent: str) -> list[Message]:
    """What the agent has not acknowledged, oldest first, 20 at most."""
    return [_of_row(row) for row in reader.all(_WAITING, agent=agent)]


def acknowledge(tx: Tx, agent: Principal, name: str, *, channel: str, answer: str | None) -> Message:
    """The agent has taken note; a repeated acknowledgment changes nothing. Raises NotFound, Invalid."""
    number = ids.parse("M", name)
    row = tx.one(_FIND, id=number, agent=agent.id)
    if row is None:
        raise ids.missing("M", number)
    if tx.run(_ACKNOWLEDGE, w_id=number, at=tx.now_us, answer=answer) == 1:
        tx.record(
            "agent:acknowledged",
            actor=agent.id,
            subject=agent.id,
            channel=channel,
            details={"message": name.upper()},
            private={"answer": answer} if answer else {},
        )
        row = tx.one(_FIND, id=number, agent=agent.id)
        assert row is not None
    return _of_row(row)


def next_due(reader: Reader) -> int | None:
    """When the next message is told again or given up; None for none."""
    row = reader.one(_NEXT)
    return row["at"] if row is not None else None


def tell_again(tx: Tx) -> None:
    """Every message that is due was told once more, or its agent's owner has to know that it goes unanswered."""
    for row in tx.all(_DUE, now=tx.now_us):
        message = _of_row(row)
        over = message.tellings >= TELLINGS
        tellings = message.tellings if over else message.tellings + 1
        tx.run(_TOLD, w_id=message.id, tellings=tellings, due_at=None if over else _due(tx.now_us, tellings))
        tx.record(
            "agent:unanswered" if over else "agent:told",
            actor=HUB.id,
            subject=message.agent,
            details={"message": message.name, "purpose": message.purpose, "telling": tellings},
            private={"text": message.text},
        )


def _due(now_us: int, tellings: int) -> int:
    return now_us + int(FIRST_PAUSE_SECONDS * 2 ** (tellings - 1) * SECOND)


def _of_row(row: Row) -> Message:
    return Message(**{field: row[field] for field in _FIELDS})
