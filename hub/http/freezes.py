"""`/v1/freezes`: what is frozen."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from hub.http.ask import Asked, answer
from hub.http.guard import Guarded
from hub.http.permissions import needs, verb

router = APIRouter(prefix="/v1/freezes", route_class=Guarded, tags=["freezes"])


class NewFreeze(BaseModel):
    """What, until when, and why."""

    model_config = ConfigDict(extra="forbid")

    resources: list[str] = Field(min_length=1, max_length=50, description="kind:name, with * for anything.")
    until: str = Field(max_length=64, description="A time (RFC 3339), or as it is said: friday, 18:00, 2h.")
    reason: str = Field(min_length=1, max_length=500)


@router.get("")
@needs(verb("freezes"))
async def list_freezes(ask: Asked) -> Response:
    """The freezes in force, those of hub.yaml among them. There are few, so they are one page."""
    reply = await ask.act("freezes", {})
    return answer({"items": reply.data["items"], "next": None})


@router.post("", status_code=201)
@needs(verb("freeze"))
async def create_freeze(ask: Asked, body: NewFreeze) -> Response:
    """Freeze resources from now on."""
    made = (await ask.act("freeze", body.model_dump())).data["freeze"]
    return answer(made, 201, {"location": f"/v1/freezes/{made['id']}"})


@router.delete("/{id}")
@needs(verb("unfreeze"))
async def end_freeze(ask: Asked, id: str) -> Response:
    """End a freeze that was made by command."""
    return answer((await ask.act("unfreeze", {"id": id})).data["freeze"])
