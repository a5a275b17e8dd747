"""`/v1/sessions`: who is signed in, and ending that."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from core.clock import rfc3339
from core.errors import NotFound
from core.people import sessions
from core.people.sessions import Session
from hub.http.ask import Ask, Asked, answer
from hub.http.guard import Guarded
from hub.http.paging import Cursor, Limit, page
from hub.http.permissions import KNOWN, needs

router = APIRouter(prefix="/v1/sessions", route_class=Guarded, tags=["sessions"])


@router.get("")
@needs(KNOWN)
async def list_sessions(ask: Asked, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """Your sessions; with the right `keys` everybody's."""
    found = await ask.hub.db.read(lambda reader: sessions.live(reader, after=cursor or ""))
    mine = [session for session in found if _may(ask, session)]
    return answer(page(mine, limit, lambda session: session.id, lambda session: _json(ask, session)))


@router.delete("/{id}")
@needs(KNOWN)
async def end_session(ask: Asked, id: str) -> Response:
    """Sign a session out: your own; with the right `keys` anybody's."""
    session = await ask.hub.db.read(sessions.find, id)
    if session is None or not _may(ask, session):
        raise NotFound("not_found", "there is no such session that you may see")
    await ask.hub.db.write(
        lambda tx: sessions.end(tx, id, by=ask.principal.id, why="revoked", channel=ask.call.channel), urgent=True
    )
    return Response(status_code=204)


def _may(ask: Ask, session: Session) -> bool:
    return session.principal == ask.principal.id or ask.world.rights.has(ask.principal, "keys")


def _json(ask: Ask, session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "principal": session.principal,
        "kind": session.kind,
        "assurance": session.assurance.word,
        "began": session.began,
        "created_at": rfc3339(session.created_at),
        "seen_at": rfc3339(session.seen_at),
        "expires_at": rfc3339(session.until()),
        "current": ask.hub.proofs.session_of(ask.caller) == session.id,
    }
