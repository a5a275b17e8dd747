"""`/v1/runs/{id}`, its `/stop`, `/v1/stop`, `/v1/resume`: look at a run while it goes on, end one, or everything."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from commands.requesting import own
from core import ids
from core.approvals.run import find_run
from core.approvals.view import run_json
from core.store.rows import Reader
from hub.contracts import Reply
from hub.http.approvals import approval_of
from hub.http.ask import Asked, answer
from hub.http.guard import Guarded
from hub.http.permissions import needs, right, verb
from hub.http.waiting import wait_for

_LOOK_AGAIN_SECONDS = 0.25
"""What is printed is no news of the log, so it is looked for."""

router = APIRouter(route_class=Guarded, tags=["runs"])


class Why(BaseModel):
    """Why everything or something ends."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1)


@router.get("/v1/runs/{id}")
@needs(right("read"))
async def get_run(ask: Asked, id: str) -> Response:
    """A run as it is now; while it goes on in this process, with the end of what it has said so far."""
    number = ids.parse("R", id)

    def read(reader: Reader) -> dict[str, Any]:
        approval = own(reader, ask.call, ids.show("A", find_run(reader, number).approval))
        return {"approval": approval.name, **(run_json(reader, number) or {})}

    found = await ask.hub.db.read(read)
    said = ask.hub.output_so_far(number)
    return answer(found if said is None else {**found, "output_tail": said})


@router.get("/v1/runs/{id}/output")
@needs(right("read"))
async def get_output(
    ask: Asked,
    id: str,
    offset: Annotated[int, Query(ge=0, lt=2**53, description="The `next` of the last stretch that you have.")] = 0,
    timeout: Annotated[float, Query(ge=0, description="Seconds to wait for more; at most 60 are granted.")] = 0.0,
) -> Response:
    """A stretch of what a run printed; asked again with its `next`, nothing is missed and nothing comes twice."""

    async def look() -> tuple[bool, Response]:
        output = await ask.hub.outputs.look(ask.caller, id, offset)
        return output.ended or output.next > offset, answer(output.as_json())

    return await wait_for(ask, look, subjects=(), timeout=timeout, look_again_seconds=_LOOK_AGAIN_SECONDS)


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
