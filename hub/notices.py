"""Notices: what one person is told that is no card, kept until it arrived or was given up.

An attempt first moves `due_at` by a guarded update: that is its claim, which lapses by itself when the process dies.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select, update

from core.clock import SECOND
from core.people.directory import HUB
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from hub.asking import Target

MOST_ATTEMPTS = 12
"""Failed attempts after which a notice is given up: about an hour of them."""
CLAIM_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 600.0

_T = schema.notice
_NEW = Statement(insert(_T), tuple(column.name for column in _T.columns))
_DUE = Statement(select(_T).where(_T.c.due_at <= bindparam("now_us")).order_by(_T.c.due_at, _T.c.id).limit(100))
_CLAIM = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.due_at == bindparam("w_due_at"))
    .values(due_at=bindparam("until"))
)
_FAILED = Statement(
    update(_T).where(_T.c.id == bindparam("w_id")).values(attempts=bindparam("attempts"), due_at=bindparam("due_at"))
)
_GONE = Statement(delete(_T).where(_T.c.id == bindparam("w_id")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a person is to be told, and about which lease or place."""

    id: int
    principal: str
    subject: str
    text: str
    attempts: int
    due_at: int


def add(tx: Tx, principal: str, subject: str, text: str) -> None:
    """The person will be told."""
    tx.run(
        _NEW,
        id=tx.next_id("notice"),
        principal=principal,
        subject=subject,
        text=text,
        attempts=0,
        due_at=tx.now_us,
        created_at=tx.now_us,
    )


def due(reader: Reader) -> list[Notice]:
    """What is to be tried now, the longest waiting first."""
    rows = reader.all(_DUE, now_us=reader.now_us)
    return [Notice(**{name: row[name] for name in Notice.__dataclass_fields__}) for row in rows]


def claim(tx: Tx, notice: Notice) -> bool:
    """Whether this attempt is ours; nobody else makes one meanwhile."""
    until = tx.now_us + int(CLAIM_SECONDS * SECOND)
    return tx.run(_CLAIM, w_id=notice.id, w_due_at=notice.due_at, until=until) == 1


def settle(tx: Tx, notice: Notice, target: Target) -> None:
    """The notice has arrived."""
    if tx.run(_GONE, w_id=notice.id):
        _record(tx, "delivery:sent", notice, target)


def fail(tx: Tx, notice: Notice, target: Target | None, error: str, permanent: bool = False) -> None:
    """The attempt failed and will be repeated, or the notice was given up."""
    attempts = notice.attempts + 1
    if permanent or attempts >= MOST_ATTEMPTS:
        if tx.run(_GONE, w_id=notice.id):
            _record(tx, "delivery:dead", notice, target, error)
        return
    pause = min(_LONGEST_PAUSE_SECONDS, 5.0 * 2**notice.attempts)
    tx.run(_FAILED, w_id=notice.id, attempts=attempts, due_at=tx.now_us + int(pause * SECOND))
    _record(tx, "delivery:failed", notice, target, error)


def _record(tx: Tx, event: str, notice: Notice, target: Target | None, error: str | None = None) -> None:
    private = {"text": notice.text} | ({"address": target.address} if target is not None else {})
    tx.record(
        event,
        actor=HUB.id,
        subject=notice.subject,
        channel=target.channel if target is not None else None,
        details={"notice": notice.id, "recipient": notice.principal, "attempt": notice.attempts + 1},
        private=private | ({"error": error[:500]} if error is not None else {}),
    )
