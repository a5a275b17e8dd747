"""One-time sign-in links. A link is 32 random bytes, stored hashed, and good once, for a quarter of an hour."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select, update

from core.clock import SECOND
from core.errors import Unproven
from core.people.assurance import Assurance
from core.people.directory import Principal
from core.people.keys import Tell
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx

TTL_SECONDS = 900.0

_T = schema.login_link
_FIND = Statement(select(_T).where(_T.c.hash == bindparam("hash")))
_NEW = Statement(insert(_T), ("hash", "principal", "assurance", "began", "created_at", "expires_at"))
_USE = Statement(
    update(_T)
    .where(
        _T.c.hash == bindparam("h"),
        _T.c.used_at.is_(None),
        _T.c.expires_at > bindparam("now"),
    )
    .values(used_at=bindparam("at"))
)
_FORGET = Statement(delete(_T).where(_T.c.expires_at < bindparam("before")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a link is worth."""

    principal: str
    assurance: Assurance
    began: str


def create(
    tx: Tx,
    *,
    by: str | None,
    principal: Principal,
    assurance: Assurance,
    began: str,
    channel: str | None = None,
    ttl_seconds: float = TTL_SECONDS,
    asked_from: str | None = None,
    tell: Tell | None = None,
) -> str:
    """A new link's token. When somebody else made it, the person is told of it by `tell`.

    `by` is None for somebody who proved nothing, who asked `asked_from` somewhere: the message that brings such a link
    to its person tells them so itself.
    """
    token = secrets.token_urlsafe(32)
    tx.run(
        _NEW,
        hash=_hash(token),
        principal=principal.id,
        assurance=int(assurance),
        began=began,
        created_at=tx.now_us,
        expires_at=tx.now_us + int(ttl_seconds * SECOND),
    )
    tx.record(
        "login:created",
        actor=by,
        subject=principal.id,
        channel=channel,
        details={
            "principal": principal.id,
            "assurance": assurance.word,
            "began": began,
        },
        private={"from": asked_from} if asked_from is not None else None,
    )
    if tell is not None and by != principal.id:
        tell(
            tx,
            principal,
            f"{by} made a sign-in link in your name. It is good once, for {ttl_seconds / 60:g} minutes.",
        )
    return token


def look(reader: Reader, token: str) -> Link | None:
    """What the link of that token is worth, while it can be redeemed; looking changes nothing."""
    row = reader.one(_FIND, hash=_hash(token))
    if row is None or row["used_at"] is not None or row["expires_at"] <= reader.now_us:
        return None
    return Link(principal=row["principal"], assurance=Assurance(row["assurance"]), began=row["began"])


def redeem(tx: Tx, token: str, *, known: Callable[[str], bool], channel: str | None = None) -> Link | Unproven:
    """What the link is worth; it is worth nothing from now on.

    A link that was used, is over, or is for somebody who is not `known` any more records `login:failed`; that
    refusal is returned, not raised, so that the record stays. Raises Unproven (`bad_link`) for an unknown token.
    """
    row = tx.one(_FIND, hash=_hash(token))
    if row is None:
        raise Unproven("bad_link", "this sign-in link is not one of this hub; ask for a new one")
    principal = row["principal"]
    used = tx.run(_USE, h=_hash(token), now=tx.now_us, at=tx.now_us) == 1
    if used and known(principal):
        assurance = Assurance(row["assurance"])
        tx.record(
            "login:used",
            actor=principal,
            subject=principal,
            channel=channel,
            details={
                "principal": principal,
                "assurance": assurance.word,
                "began": row["began"],
            },
        )
        return Link(principal=principal, assurance=assurance, began=row["began"])
    why = "unknown_person" if used else "link_used" if row["used_at"] is not None else "link_expired"
    tx.record(
        "login:failed",
        actor=None,
        subject=principal,
        channel=channel,
        details={"principal": principal, "why": why},
    )
    return Unproven(why, "this sign-in link was used before, or its time is over; ask for a new one")


def forget(tx: Tx, *, before_us: int) -> int:
    """Links that ended before then are gone; how many."""
    return tx.run(_FORGET, before=before_us)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
