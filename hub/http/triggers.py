"""`/v1/triggers`: what events and hooks ask for by themselves."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from hub.http.ask import Asked, answer
from hub.http.guard import Guarded
from hub.http.permissions import needs, right, verb

router = APIRouter(prefix="/v1/triggers", route_class=Guarded, tags=["triggers"])


class Switched(BaseModel):
    """Whether it is to act."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool


class Past(BaseModel):
    """An entry of the log."""

    model_config = ConfigDict(extra="forbid")

    seq: int = Field(ge=1)


@router.get("")
@needs(verb("triggers"))
async def list_triggers(ask: Asked) -> Response:
    """The triggers of hub.yaml with their last ten actions, newest first, as one page."""
    reply = await ask.act("triggers", {})
    return answer({"items": reply.data["items"], "next": None})


@router.patch("/{name}")
@needs(verb("trigger"))
async def switch_trigger(ask: Asked, name: str, body: Switched) -> Response:
    """Switch it off, or on again from now on."""
    what = "enable" if body.enabled else "disable"
    return answer((await ask.act("trigger", {"what": what, "name": name})).data["trigger"])


@router.post("/{name}/test")
@needs(right("automation"))
async def test_trigger(ask: Asked, name: str, body: Past) -> Response:
    """What it would do on a past entry of the log; nothing is done."""
    return answer(await ask.hub.triggering.rehearse(name, body.seq))
