"""Accounts on channels that people bound to themselves: a code from a signed-in place, said on the channel.

An account at the OpenID provider needs no code: the browser that proves it is signed in already.

A code is 50 bits that two people can read to each other, stored hashed, good once, for ten minutes. A binding lasts
until it is unlinked or its person leaves the configuration; one in hub.yaml always goes before it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select, update

from core.clock import SECOND
from core.errors import Conflict, NotFound, Unproven
from core.people import sessions
from core.people.directory import Directory, Kind, Principal
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx

CODE_SECONDS = 600.0
MOST_CODES = 3
"""Codes of one person that may be open at once; a further one ends the oldest."""

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_DIGITS = 10

_C, _L = schema.link_code, schema.linked
_NEW_CODE = Statement(insert(_C), ("hash", "principal", "created_at", "expires_at"))
_CODE = Statement(select(_C).where(_C.c.hash == bindparam("hash")))
_OPEN = Statement(
    select(_C.c.hash)
    .where(_C.c.principal == bindparam("principal"), _C.c.used_at.is_(None), _C.c.expires_at > bindparam("now"))
    .order_by(_C.c.created_at.desc())
)
_USE = Statement(
    update(_C)
    .where(_C.c.hash == bindparam("h"), _C.c.used_at.is_(None), _C.c.expires_at > bindparam("now"))
    .values(used_at=bindparam("at"))
)
_FORGET = Statement(delete(_C).where(_C.c.expires_at < bindparam("before")))
_NEW = Statement(insert(_L), ("channel", "identity", "principal", "at"))
_ALL = Statement(select(_L).order_by(_L.c.at, _L.c.channel, _L.c.identity))
_FIND = Statement(select(_L).where(_L.c.channel == bindparam("channel"), _L.c.identity == bindparam("identity")))
_END = Statement(delete(_L).where(_L.c.channel == bindparam("channel"), _L.c.identity == bindparam("identity")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """One account that somebody bound to themselves."""

    channel: str
    identity: str
    principal: str
    at: int


def offer(tx: Tx, *, principal: Principal, channel: str) -> str:
    """A new code, which is known to nobody but whoever is given it now."""
    digits = "".join(secrets.choice(_ALPHABET) for _ in range(_DIGITS))
    for row in tx.all(_OPEN, principal=principal.id, now=tx.now_us)[MOST_CODES - 1 :]:
        tx.run(_USE, h=row["hash"], now=tx.now_us, at=tx.now_us)
    until = tx.now_us + int(CODE_SECONDS * SECOND)
    tx.run(_NEW_CODE, hash=_hash(digits), principal=principal.id, created_at=tx.now_us, expires_at=until)
    tx.record("identity:offered", actor=principal.id, subject=principal.id, channel=channel)
    return f"{digits[:5]}-{digits[5:]}"


def link(tx: Tx, code: str, *, channel: str, identity: str, people: Directory) -> Linked:
    """The account is bound to the person of the code, which is worth nothing from now on.

    Raises Unproven (`bad_code`) for a code that is none, over or used, Conflict for an account or a person that is
    bound there already; a code that was refused for such a reason stays good.
    """
    row = tx.one(_CODE, hash=_hash(_read(code)))
    principal = people.find(row["principal"]) if row is not None else None
    used = tx.run(_USE, h=_hash(_read(code)), now=tx.now_us, at=tx.now_us) == 1
    if principal is None or principal.kind is not Kind.PERSON or not used:
        raise Unproven("bad_code", "this code is none of ours, or was used, or its ten minutes are over; get a new one")
    return bind(tx, principal, channel=channel, identity=identity, people=people)


def bind(tx: Tx, principal: Principal, *, channel: str, identity: str, people: Directory) -> Linked:
    """The account, which was proved to be that person's, is bound to them. Raises Conflict as `link` does."""
    _demand_free(tx, people, channel=channel, identity=identity, principal=principal)
    tx.run(_NEW, channel=channel, identity=identity, principal=principal.id, at=tx.now_us)
    tx.record(
        "identity:linked",
        actor=principal.id,
        subject=principal.id,
        channel=channel,
        details={"principal": principal.id, "identity": identity},
    )
    return Linked(channel=channel, identity=identity, principal=principal.id, at=tx.now_us)


def _demand_free(tx: Tx, people: Directory, *, channel: str, identity: str, principal: Principal) -> None:
    """Nothing, when neither is bound. Raises Conflict (`bound_in_config`, `already_linked`)."""
    if people.is_explicit(channel, identity):
        raise Conflict("bound_in_config", "hub.yaml says who this account is; that stands")
    given = principal.identities.get(channel, "")
    if given and people.is_explicit(channel, given) and _realm(given) == _realm(identity):
        raise Conflict("bound_in_config", f"hub.yaml gives {principal.id} another account here; that stands")
    for each in links(tx):
        if each.channel != channel:
            continue
        if each.identity == identity:
            raise Conflict("already_linked", f"this account is linked to {each.principal}; `unlink` there first")
        if each.principal == principal.id and _realm(each.identity) == _realm(identity):
            raise Conflict("already_linked", f"{principal.id} is linked to {each.identity}; `unlink` it first")


def links(reader: Reader) -> list[Linked]:
    """Every binding, the oldest first."""
    return [
        Linked(channel=row["channel"], identity=row["identity"], principal=row["principal"], at=row["at"])
        for row in reader.all(_ALL)
    ]


def stands(reader: Reader, channel: str, identity: str, principal: str) -> bool:
    """Whether that account is bound to that principal now."""
    row = reader.one(_FIND, channel=channel, identity=identity)
    return row is not None and row["principal"] == principal


def unlink(tx: Tx, found: Collection[Linked], *, by: str, why: str, channel: str | None = None) -> int:
    """None of these is bound any more; how many were."""
    ended = 0
    for each in found:
        if tx.run(_END, channel=each.channel, identity=each.identity) == 0:
            continue
        ended += 1
        tx.record(
            "identity:unlinked",
            actor=by,
            subject=each.principal,
            channel=channel,
            details={"principal": each.principal, "identity": each.identity, "of": each.channel, "why": why},
        )
        sessions.end_begun_by(tx, began_with(each.channel, each.identity), by=by, why="its account was unlinked")
    return ended


def began_with(channel: str, identity: str) -> str:
    """How a session began that rests on this account; it does not tell which account that is."""
    return f"{channel}:{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def unlink_strangers(tx: Tx, people: Directory, *, by: str) -> int:
    """No account is bound to somebody whom the configuration does not know, or that hub.yaml gives to anybody."""
    over = [
        each
        for each in links(tx)
        if people.find(each.principal) is None or people.is_explicit(each.channel, each.identity)
    ]
    return unlink(tx, over, by=by, why="the configuration changed")


def unlinkable(reader: Reader, principal: str, which: str | None) -> list[Linked]:
    """The bindings of a person, or those of them that `which` names by channel or account. Raises NotFound."""
    found = [
        each for each in links(reader) if each.principal == principal and which in (None, each.channel, each.identity)
    ]
    if not found:
        raise NotFound("not_found", f"{principal} has linked no such account")
    return found


def forget(tx: Tx, *, before_us: int) -> int:
    """Codes whose time was over then are gone; how many."""
    return tx.run(_FORGET, before=before_us)


def _realm(identity: str) -> str:
    """The workspace of an identity; an identity without one is a realm of its own."""
    return identity.partition("/")[0]


def _read(code: str) -> str:
    """The code as it was made, however it was typed."""
    return "".join(each for each in code.upper() if each.isalnum())


def _hash(digits: str) -> bytes:
    return hashlib.sha256(b"interlock link code\0" + digits.encode()).digest()
