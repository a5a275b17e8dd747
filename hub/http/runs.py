"""`/v1/runs/{id}/stop`, `/v1/stop`, `/v1/resume`: end one run, or everything."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core import ids
from hub.contracts import Reply
from hub.http.approvals import approval_of
from hub.http.ask import Asked, answer
from hub.http.guard import Guarded
from hub.http.permissions import needs, right, verb

router = APIRouter(route_class=Guarded, tags=["runs"])


class Why(BaseModel):
    """Why everything or something ends."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1)


@router.post("/v1/runs/{id}/stop")
@needs(verb("stop"))
async def stop_run(ask: Asked, id: str, body: Why) -> Response:
    """Kill a run; the approval as it stands."""
    ids.parse("R", id)
    return approval_of(await ask.act("stop", {"target": id, "reason": body.reason}))


@router.post("/v1/stop")
@needs(right("stop"))
async def stop_everything(ask: Asked, body: Why) -> Response:
    """Kill every run; nothing starts until it is resumed."""
    return _said(await ask.act("stop", {"target": "all", "reason": body.reason}))


@router.post("/v1/resume")
@needs(verb("resume"))
async def resume(ask: Asked) -> Response:
    """Runs may start again."""
    return _said(await ask.act("resume", {}))


def _said(reply: Reply) -> Response:
    return answer(reply.as_json())
