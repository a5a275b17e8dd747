"""`/v1/people` and `/v1/me`: who exists, and who you are."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from core.people.directory import Kind, Principal
from core.people.rights import ADMIN, EVERYBODY
from hub.http.ask import Asked, answer
from hub.http.guard import Guarded
from hub.http.paging import Cursor, Limit, page
from hub.http.permissions import KNOWN, needs, right

router = APIRouter(prefix="/v1", route_class=Guarded, tags=["people"])


@router.get("/people")
@needs(right("read"))
async def list_people(ask: Asked, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """The people of the configuration in force."""
    found = [each for each in ask.world.people if each.kind is Kind.PERSON and each.id > (cursor or "")]
    return answer(page(sorted(found, key=lambda each: each.id), limit, lambda each: each.id, principal_fields))


@router.get("/me")
@needs(KNOWN)
async def who_am_i(ask: Asked) -> Response:
    """You, how strongly that is proved, and what you may do."""
    return answer(
        {
            **principal_fields(ask.principal),
            "assurance": ask.call.assurance.word,
            "channel": ask.call.channel,
            "may_decide": ask.call.may_decide and ask.principal.kind is Kind.PERSON,
            "rights": [name for name in sorted(EVERYBODY | ADMIN) if ask.world.rights.has(ask.principal, name)],
        }
    )


def principal_fields(principal: Principal) -> dict[str, Any]:
    """A principal as the configuration has them."""
    shown = {
        "id": principal.id,
        "kind": principal.kind.value,
        "name": principal.name,
        "groups": sorted(principal.groups),
    }
    if principal.kind in (Kind.AGENT, Kind.SERVICE):
        shown["owners"] = sorted(principal.owners)
    return shown
