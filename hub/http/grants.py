"""`/v1/grants`: what may run again without being asked for."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from commands.granting import listing, seen
from core import ids
from core.approvals.grant import grant_json
from core.errors import Invalid
from core.store.rows import Reader
from hub.http.ask import Asked, answer
from hub.http.guard import Guarded
from hub.http.paging import Cursor, Limit, page
from hub.http.permissions import needs, right, verb

router = APIRouter(prefix="/v1/grants", route_class=Guarded, tags=["grants"])


class NewGrant(BaseModel):
    """Which approval, for how long and how often, and which revision was looked at."""

    model_config = ConfigDict(extra="forbid")

    approval: str = Field(max_length=32)
    seconds: int | str = Field(description="For how long: seconds, or as it is said: 30m.")
    times: int = Field(ge=1, le=1000)
    digest: str | None = None
    confirm: str | None = Field(default=None, max_length=64, description="The approval's id, typed, where asked for.")
    comment: str | None = Field(default=None, max_length=4096)


@router.get("")
@needs(right("read"))
async def list_grants(
    ask: Asked,
    which: Annotated[
        Literal["active", "all"], Query(description="Those in force, or those that ended too.")
    ] = "active",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Grants that you may see, the newest first."""
    before = ids.parse("G", cursor) if cursor is not None else 2**62

    def read(reader: Reader) -> object:
        found = listing(reader, ask.call, which, before=before, limit=limit + 1)
        return page(found, limit, lambda each: each.name, lambda each: grant_json(reader, each))

    return answer(await ask.hub.db.read(read))


@router.get("/{id}")
@needs(right("read"))
async def get_grant(ask: Asked, id: str) -> Response:
    """One grant, with each of its uses."""
    return answer(await ask.hub.db.read(lambda reader: grant_json(reader, seen(reader, ask.call, id)[0])))


@router.post("", status_code=201)
@needs(verb("grant"))
async def create_grant(ask: Asked, body: NewGrant) -> Response:
    """Approve, and allow the same again: 201 with the grant, or 202 while others must choose the same."""
    if not body.digest:
        raise await ask.refuse(
            Invalid("digest_required", "say which revision you decide on: send the digest that the approval shows")
        )
    reply = await ask.act("grant", {"id": body.approval, **body.model_dump(exclude={"approval"})})
    made = reply.data["grant"]
    if made is None:
        return answer({"grant": None, "approval": reply.approval, "text": reply.text}, 202)
    return answer(made, 201, {"location": f"/v1/grants/{made['id']}"})


@router.delete("/{id}")
@needs(verb("revoke"))
async def end_grant(ask: Asked, id: str) -> Response:
    """End a grant at once; what it approved and has not started goes back to review."""
    return answer((await ask.act("revoke", {"id": id})).data["grant"])
