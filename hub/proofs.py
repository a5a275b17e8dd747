"""Who is calling: API keys, access tokens and session cookies, checked in memory on every request.

What was looked up once is kept; `key:revoked` and `session:ended` in the log take effect with the commit that
records them, and who leaves the configuration proves nothing from then on. What ended is remembered for as long as
the process lives, so a look-up that was under way meanwhile cannot bring it back.
"""

from __future__ import annotations

import logging
from asyncio import Future
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from core.audit.log import Committed
from core.clock import SECOND, Clock
from core.errors import Refusal, StoreError, Unproven
from core.people import keys, sessions
from core.people.assurance import Assurance
from core.people.directory import OPERATOR, Kind, Principal
from core.people.keys import Key
from core.people.sessions import Session
from core.people.tokens import Tokens
from core.store.database import Database
from core.store.rows import Reader
from core.world import World
from hub.contracts import Caller
from hub.feed import Feed

COOKIE = "interlock_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
KEPT = 10_000
"""Keys and sessions held in memory, of each the ones looked up last."""
KEY_USED_EVERY_SECONDS = 60.0
_MEMBER = 4_096
"""Characters of a credential that are looked at."""

K = TypeVar("K")
V = TypeVar("V")

logger = logging.getLogger("interlock.proofs")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A session as it was looked up, with the key that it began with."""

    session: Session
    may_decide: bool
    noted_at: float


class Proofs:
    """Turns credentials into callers. Everything here belongs to the event loop's thread."""

    def __init__(
        self,
        *,
        db: Database,
        feed: Feed,
        clock: Clock,
        tokens: Tokens,
        world: Callable[[], World],
    ) -> None:
        self._db = db
        self._clock = clock
        self._world = world
        self.tokens = tokens
        self._keys: dict[bytes, Key] = {}
        self._key_noted: dict[str, float] = {}
        self._sessions: dict[str, _Known] = {}
        self._cookies: dict[str, str] = {}
        self._revoked: set[str] = set()
        self._ended: set[str] = set()
        self._base_us = clock.wall_us()
        self._base_monotonic = clock.monotonic()
        feed.listen(self._learn)

    def now_us(self) -> int:
        """The time by which sessions end: it never jumps, as the store's does not."""
        return self._base_us + int((self._clock.monotonic() - self._base_monotonic) * SECOND)

    async def prove(self, headers: Mapping[str, str]) -> Caller:
        """Who sends these headers (lower-case names). Raises Unproven with what is wrong.

        An Authorization header alone counts when there is one; a cookie does not mend a bad one.
        """
        authorization = headers.get("authorization")
        if authorization is not None:
            scheme, _, credential = authorization.partition(" ")
            credential = credential.strip()
            if scheme.lower() != "bearer" or not credential or len(credential) > _MEMBER:
                raise Unproven(
                    "bad_authorization",
                    "send `Authorization: Bearer` with a key or an access token",
                )
            if credential.startswith(keys.START):
                return await self._by_key(credential)
            return await self._by_access(credential)
        cookie = cookie_of(headers.get("cookie", ""))
        if cookie is not None and len(cookie) <= _MEMBER:
            return await self._by_cookie(cookie)
        raise Unproven("not_signed_in", "sign in, or send an API key")

    async def authenticate(self, headers: Mapping[str, str]) -> Caller | None:
        """As `prove`, with None for somebody who proved nothing."""
        try:
            return await self.prove(headers)
        except Unproven:
            return None

    def valid(self, caller: Caller) -> bool:
        """Whether the proof still stands: its key or session did not end and its principal is configured as then."""
        kind, _, rest = caller.proof.partition(":")
        if caller.principal == OPERATOR.id:
            return kind == "socket"
        principal = self._world().people.find(caller.principal)
        if principal is None or principal.kind != caller.kind:
            return False
        if kind == "key":
            return rest not in self._revoked
        if kind == "session":
            name, _, until = rest.partition(":")
            if name in self._ended or int(until) <= self.now_us():
                return False
            known = self._sessions.get(name)
            if known is not None:
                self._note_seen(known)
            return True
        return kind == "socket"

    def nonce(self, caller: Caller, purpose: str) -> str:
        """An unguessable text that is always the same for this proof and purpose."""
        return self.tokens.nonce(caller.proof, purpose)

    def session_of(self, caller: Caller) -> str | None:
        """The id of the session that `caller` comes by, if it is one."""
        kind, _, rest = caller.proof.partition(":")
        return rest.partition(":")[0] if kind == "session" else None

    def _learn(self, entries: list[Committed]) -> None:
        for entry in entries:
            if entry.event == "key:revoked":
                self._revoked.add(str(entry.details["prefix"]))
            elif entry.event == "session:ended" and entry.subject is not None:
                self._ended.add(entry.subject)
                self._sessions.pop(entry.subject, None)

    async def _by_key(self, text: str) -> Caller:
        hashed = keys.hash_of(text)
        key = self._keys.get(hashed) or await self._look_up_key(text, hashed)
        prefix = key.prefix
        if prefix in self._revoked:
            raise Unproven("key_revoked", "this key was revoked")
        caller = self._caller(key.principal, Assurance.CHAT, f"key:{prefix}", may_decide=key.decide)
        now = self._clock.monotonic()
        if now - self._key_noted.get(prefix, float("-inf")) >= KEY_USED_EVERY_SECONDS:
            _bound(self._key_noted)[prefix] = now
            self._later(self._db.write(keys.touch, prefix))
        return caller

    async def _look_up_key(self, text: str, hashed: bytes) -> Key:
        """The stored key. Raises Unproven (`bad_key`)."""
        prefix = keys.prefix_of(text)
        if prefix is None:
            raise Unproven("bad_key", "this is no key of this hub; was it copied whole?")
        key = await self._db.read(keys.find, prefix)
        if key is None or key.hash != hashed:
            raise Unproven("bad_key", "this is no key of this hub")
        if key.revoked_at is not None:
            self._revoked.add(prefix)
        _bound(self._keys)[hashed] = key
        return key

    async def _by_access(self, text: str) -> Caller:
        access = self.tokens.read_access(text, now_us=self.now_us())
        known = await self._session(access.session)
        if known.session.kind != "token" or known.session.principal != access.principal:
            raise Unproven("bad_token", "the access token is not one of this hub")
        return self._by_session(known)

    async def _by_cookie(self, secret: str) -> Caller:
        name = self._cookies.get(secret)
        if name is None:
            session = await self._db.read(sessions.find_by_secret, secret)
            if session is None:
                raise Unproven("session_ended", "the session is over; sign in again")
            name = _bound(self._cookies)[secret] = session.id
        return self._by_session(await self._session(name))

    async def _session(self, name: str) -> _Known:
        """The live session. Raises Unproven (`session_ended`)."""
        known = self._sessions.get(name)
        if name not in self._ended:
            if known is None or not known.session.is_live(self.now_us()):
                known = await self._db.read(_look_up, name, self._clock.monotonic())
            if known is not None and known.session.is_live(self.now_us()) and name not in self._ended:
                _bound(self._sessions)[name] = known
                return known
        raise Unproven("session_ended", "the session is over; sign in again")

    def _by_session(self, known: _Known) -> Caller:
        session = known.session
        proof = f"session:{session.id}:{session.expires_at}"
        caller = self._caller(session.principal, session.assurance, proof, may_decide=known.may_decide)
        self._note_seen(known)
        return replace(caller, evidence={**caller.evidence, "signed_in": session.began})

    def _note_seen(self, known: _Known) -> None:
        now = self._clock.monotonic()
        if now - known.noted_at < sessions.SEEN_EVERY_SECONDS:
            return
        session = replace(known.session, seen_at=self.now_us())
        self._sessions[session.id] = replace(known, session=session, noted_at=now)
        self._later(self._db.write(sessions.seen, session.id))

    def _caller(self, principal_id: str, assurance: Assurance, proof: str, *, may_decide: bool) -> Caller:
        principal = self._world().people.find(principal_id)
        if principal is None:
            raise Unproven("unknown_principal", "you are no longer in the configuration")
        return caller_for(principal, assurance=assurance, proof=proof, may_decide=may_decide)

    def _later(self, written: Future[Any]) -> None:
        """Let a note of use be written in its own time; losing one loses nothing."""
        written.add_done_callback(_forget_failure)


def caller_for(principal: Principal, *, assurance: Assurance, proof: str, may_decide: bool = True) -> Caller:
    """`principal` as a caller; nobody but a person ever decides."""
    return Caller(
        principal=principal.id,
        name=principal.name,
        kind=principal.kind.value,
        assurance=assurance,
        may_decide=may_decide and principal.kind is Kind.PERSON,
        proof=proof,
        groups=principal.groups,
        evidence=_evidence(proof),
    )


def _evidence(proof: str) -> dict[str, str]:
    """What the log may say of a proof: a key by its prefix, a session by its id, a process by its number and user."""
    kind, *rest = proof.split(":")
    match kind:
        case "socket" if len(rest) == 2:
            return {"pid": rest[0], "uid": rest[1]}
        case "key" | "session" if rest:
            return {kind: rest[0]}
    return {}


def cookie_of(header: str) -> str | None:
    """The session cookie's value in a Cookie header; the `__Host-` one wins."""
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name in (COOKIE, SECURE_COOKIE) and value:
            found.setdefault(name, value)
    return found.get(SECURE_COOKIE) or found.get(COOKIE)


def _look_up(reader: Reader, name: str, now: float) -> _Known | None:
    session = sessions.find(reader, name)
    if session is None or session.ended_at is not None:
        return None
    may_decide = True
    if session.began.startswith("key:"):
        key = keys.find(reader, session.began.removeprefix("key:"))
        if key is None or key.revoked_at is not None:
            return None
        may_decide = key.decide
    return _Known(session=session, may_decide=may_decide, noted_at=now)


def _bound(table: dict[K, V]) -> dict[K, V]:
    """`table`, with room for one more: what was put there first goes."""
    while len(table) >= KEPT:
        del table[next(iter(table))]
    return table


def _forget_failure(future: Future[Any]) -> None:
    if future.cancelled():
        return
    error = future.exception()
    if isinstance(error, (Refusal, StoreError)):
        logger.debug("a use was not noted: %s", error)
    elif error is not None:
        logger.error("a use was not noted: %r", error)
