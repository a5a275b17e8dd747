"""`/v1/triggers`: what events and hooks ask for by themselves."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core.errors import Invalid
from hub.http.ask import Asked, answer
from hub.http.guard import Guarded
from hub.http.permissions import needs, right, verb
from hub.rehearsing import Message, rehearse

router = APIRouter(prefix="/v1/triggers", route_class=Guarded, tags=["triggers"])


class Switched(BaseModel):
    """Whether it is to act."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool


class Trial(BaseModel):
    """What it is tried on: an entry of the log, the last one that fits, or a message to its hook."""

    model_config = ConfigDict(extra="forbid")

    seq: int | None = Field(default=None, ge=1, lt=2**63, description="Which entry; the last that fits without it.")
    body: Any = Field(default=None, description="For a trigger on a hook: the message, as JSON.")
    headers: dict[str, str] = Field(default={}, max_length=100, description="Its headers.")

    @property
    def on(self) -> int | Message | None:
        """As a rehearsal takes it. Raises Invalid for an entry and a message at once."""
        if not {"body", "headers"} & self.model_fields_set:
            return self.seq
        if self.seq is not None:
            raise Invalid("invalid_request", "give an entry or a message, not both")
        return Message(body=self.body, headers={name.lower(): value for name, value in self.headers.items()})


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
async def test_trigger(ask: Asked, name: str, body: Trial) -> Response:
    """What it would do on a past entry of the log, or on a message to its hook; nothing is done."""
    return answer(await rehearse(ask.hub.db, ask.hub.world, name, body.on))
