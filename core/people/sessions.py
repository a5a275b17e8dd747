"""Signed-in sessions, kept by the hub: a `browser` one behind a cookie, a `token` one behind JWTs.

A session is never stronger than how it began (`assurance`), ends when it was idle too long, when its time is over,
when it is revoked, when the key that it began with is, and when its person leaves the configuration.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import bindparam, delete, insert, or_, select, update

from core.clock import SECOND
from core.errors import NotFound, Unproven
from core.people.assurance import Assurance
from core.people.tokens import Tokens
from core.store import schema
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx

Kind = Literal["browser", "token"]

LIFETIME_SECONDS: dict[Kind, int] = {"browser": 7 * 86_400, "token": 30 * 86_400}
IDLE_SECONDS: dict[Kind, int] = {"browser": 86_400, "token": 7 * 86_400}
SEEN_EVERY_SECONDS = 60
"""How often a use is noted."""

_T = schema.session
_FIND = Statement(select(_T).where(_T.c.id == bindparam("id")))
_FIND_HASH = Statement(select(_T).where(_T.c.hash == bindparam("hash")))
_LIVE = Statement(select(_T).where(_T.c.ended_at.is_(None), _T.c.id > bindparam("after")).order_by(_T.c.id))
_BEGUN_BY = Statement(select(_T).where(_T.c.ended_at.is_(None), _T.c.began == bindparam("began")))
_NEW = Statement(
    insert(_T),
    (
        *("id", "hash", "principal", "assurance", "began", "kind"),
        *("created_at", "expires_at", "seen_at", "generation"),
    ),
)
_SEEN = Statement(update(_T).where(_T.c.id == bindparam("i"), _T.c.ended_at.is_(None)).values(seen_at=bindparam("at")))
_TURN = Statement(
    update(_T)
    .where(
        _T.c.id == bindparam("i"),
        _T.c.kind == bindparam("k"),
        _T.c.generation == bindparam("g"),
        _T.c.ended_at.is_(None),
        _T.c.expires_at > bindparam("now"),
        _T.c.seen_at > bindparam("idle"),
    )
    .values(
        hash=bindparam("next_hash"),
        generation=bindparam("next"),
        seen_at=bindparam("at"),
    )
)
_END = Statement(update(_T).where(_T.c.id == bindparam("i"), _T.c.ended_at.is_(None)).values(ended_at=bindparam("at")))
_OVER = Statement(
    select(_T).where(
        _T.c.ended_at.is_(None),
        or_(
            _T.c.expires_at <= bindparam("now"),
            (_T.c.kind == bindparam("of_browsers")) & (_T.c.seen_at <= bindparam("browser_idle")),
            (_T.c.kind == bindparam("of_tokens")) & (_T.c.seen_at <= bindparam("token_idle")),
        ),
    )
)
_FORGET = Statement(delete(_T).where(_T.c.ended_at < bindparam("before")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A stored session: everything but its secret."""

    id: str
    principal: str
    assurance: Assurance
    began: str
    """How: `cli`, `mail`, `slack`, `key:<prefix>`, or `oidc:<digest of the account>`."""
    kind: Kind
    created_at: int
    expires_at: int
    seen_at: int
    ended_at: int | None
    generation: int

    def until(self) -> int:
        """When it ends unless it is used before."""
        return min(self.expires_at, self.seen_at + IDLE_SECONDS[self.kind] * SECOND)

    def is_live(self, now_us: int) -> bool:
        """Whether it still proves anything."""
        return self.ended_at is None and now_us < self.until()


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A new session with what its holder keeps: the cookie's value, or the first refresh token."""

    session: Session
    secret: str


def begin_browser(tx: Tx, *, principal: str, assurance: Assurance, began: str) -> Begun:
    """A session behind a cookie."""
    secret = secrets.token_urlsafe(32)
    return Begun(
        session=_begin(tx, _name(), _hash(secret), principal, assurance, began, "browser"),
        secret=secret,
    )


def begin_tokens(tx: Tx, tokens: Tokens, *, principal: str, assurance: Assurance, began: str) -> Begun:
    """A session behind access tokens, with its first refresh token."""
    name = _name()
    secret = tokens.refresh(session=name, generation=0)
    return Begun(
        session=_begin(tx, name, _hash(secret), principal, assurance, began, "token"),
        secret=secret,
    )


def refresh(tx: Tx, tokens: Tokens, text: str, *, channel: str | None = None) -> Begun | Unproven:
    """The session with its next refresh token; the presented one is worth nothing from now on.

    A token whose turn is past ends the session, because two hold its secret. The refusal is returned, not raised,
    so that this stays. Raises Unproven (`bad_token`) for what is not ours at all.
    """
    said = tokens.read_refresh(text)
    following = tokens.refresh(session=said.session, generation=said.generation + 1)
    turned = tx.run(
        _TURN,
        i=said.session,
        k="token",
        g=said.generation,
        now=tx.now_us,
        idle=tx.now_us - IDLE_SECONDS["token"] * SECOND,
        next_hash=_hash(following),
        next=said.generation + 1,
        at=tx.now_us,
    )
    session = find(tx, said.session)
    if session is None or session.ended_at is not None:
        return Unproven("session_ended", "the session is over; sign in again")
    if turned == 1:
        return Begun(session=session, secret=following)
    if said.generation < session.generation:
        end(
            tx,
            session.id,
            by=session.principal,
            channel=channel,
            why="a refresh token was used twice",
        )
        return Unproven(
            "token_reused",
            "this refresh token was used before; the session has ended, sign in again",
        )
    return Unproven("session_ended", "the session is over; sign in again")


def find(reader: Reader, session_id: str) -> Session | None:
    """The session of that id, ended or not."""
    row = reader.one(_FIND, id=session_id)
    return None if row is None else _session(row)


def find_by_secret(reader: Reader, secret: str) -> Session | None:
    """The session of that cookie."""
    row = reader.one(_FIND_HASH, hash=_hash(secret))
    return None if row is None or row["kind"] != "browser" else _session(row)


def live(reader: Reader, *, after: str = "") -> list[Session]:
    """Sessions that have not ended, in the order of their ids."""
    now_us = reader.now_us
    return [session for row in reader.all(_LIVE, after=after) if (session := _session(row)).is_live(now_us)]


def seen(tx: Tx, session_id: str) -> None:
    """The session was used about now."""
    tx.run(_SEEN, i=session_id, at=tx.now_us)


def end(tx: Tx, session_id: str, *, by: str, why: str, channel: str | None = None) -> bool:
    """The session proves nothing from now on; whether it did before. Raises NotFound."""
    session = find(tx, session_id)
    if session is None:
        raise NotFound("not_found", "there is no such session")
    return _end(tx, session, by=by, why=why, channel=channel)


def end_begun_by(tx: Tx, began: str, *, by: str, why: str) -> int:
    """No session that began so is left; how many ended."""
    return sum(_end(tx, _session(row), by=by, why=why) for row in tx.all(_BEGUN_BY, began=began))


def end_strangers(tx: Tx, known: Callable[[str], bool], *, by: str) -> int:
    """No session belongs to somebody whom the configuration does not know; how many ended."""
    return sum(
        _end(tx, _session(row), by=by, why="removed from the configuration")
        for row in tx.all(_LIVE, after="")
        if not known(row["principal"])
    )


def sweep(tx: Tx, *, by: str, keep_seconds: float) -> int:
    """Sessions whose time is over are ended and recorded, those that ended long ago forgotten; how many ended.

    Only makes visible what `is_live` already says.
    """
    over = tx.all(
        _OVER,
        now=tx.now_us,
        of_browsers="browser",
        of_tokens="token",
        browser_idle=tx.now_us - IDLE_SECONDS["browser"] * SECOND,
        token_idle=tx.now_us - IDLE_SECONDS["token"] * SECOND,
    )
    for row in over:
        _end(tx, _session(row), by=by, why="expired")
    tx.run(_FORGET, before=tx.now_us - int(keep_seconds * SECOND))
    return len(over)


def _begin(
    tx: Tx,
    name: str,
    secret_hash: bytes,
    principal: str,
    assurance: Assurance,
    began: str,
    kind: Kind,
) -> Session:
    session = Session(
        id=name,
        principal=principal,
        assurance=assurance,
        began=began,
        kind=kind,
        created_at=tx.now_us,
        expires_at=tx.now_us + LIFETIME_SECONDS[kind] * SECOND,
        seen_at=tx.now_us,
        ended_at=None,
        generation=0,
    )
    tx.run(
        _NEW,
        id=name,
        hash=secret_hash,
        principal=principal,
        assurance=int(assurance),
        began=began,
        kind=kind,
        created_at=session.created_at,
        expires_at=session.expires_at,
        seen_at=session.seen_at,
        generation=0,
    )
    return session


def _end(tx: Tx, session: Session, *, by: str, why: str, channel: str | None = None) -> bool:
    if tx.run(_END, i=session.id, at=tx.now_us) == 0:
        return False
    tx.record(
        "session:ended",
        actor=by,
        subject=session.id,
        channel=channel,
        details={"session": session.id, "principal": session.principal, "why": why},
    )
    return True


def _session(row: Row) -> Session:
    return Session(
        id=row["id"],
        principal=row["principal"],
        assurance=Assurance(row["assurance"]),
        began=row["began"],
        kind=row["kind"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        seen_at=row["seen_at"],
        ended_at=row["ended_at"],
        generation=row["generation"],
    )


def _name() -> str:
    return f"s{secrets.token_hex(8)}"


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
