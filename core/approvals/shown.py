"""Which revision a person has been shown: a typed decision counts for that one only."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, insert, select

from core.approvals.approval import Approval
from core.clock import SECOND
from core.errors import Invalid
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx

READING_US = 5 * SECOND
"""A card counts as shown when the channel acknowledged it at least this long before the message."""

_T = schema.shown
_MINE = and_(
    _T.c.approval == bindparam("approval"), _T.c.revision == bindparam("revision"), _T.c.person == bindparam("person")
)
_FIND = Statement(select(_T.c.at).where(_MINE))
_NEW = Statement(insert(_T), ("approval", "revision", "person", "at"))


def note_shown(tx: Tx, *, approval: int, revision: int, person: str, at_us: int | None = None) -> None:
    """A channel acknowledged that revision's card to that person; the first time counts."""
    if tx.one(_FIND, approval=approval, revision=revision, person=person) is None:
        tx.run(_NEW, approval=approval, revision=revision, person=person, at=at_us if at_us is not None else tx.now_us)


def was_shown(reader: Reader, approval: Approval, person: str, said_at_us: int | None) -> bool:
    """Whether the revision in force was shown to that person long enough before they said something."""
    row = reader.one(_FIND, approval=approval.id, revision=approval.revision, person=person)
    return row is not None and int(row["at"]) + READING_US <= (said_at_us if said_at_us is not None else reader.now_us)


def shown_digest(tx: Tx, approval: Approval, person: str, said_at_us: int | None) -> str | None:
    """The digest that a typed decision is about: that of the revision in force, if its card was shown in time.

    None when nobody can say; the answer then is the card. Raises Invalid `not_shown_yet` when it was shown too
    recently to have been read.
    """
    row = tx.one(_FIND, approval=approval.id, revision=approval.revision, person=person)
    if row is None:
        return None
    if not was_shown(tx, approval, person, said_at_us):
        raise Invalid("not_shown_yet", f"{approval.name} was shown to you only just now; read the card, then decide")
    return approval.digest
