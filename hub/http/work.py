"""`/v1/work`: approved runs for agents to carry out."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from commands.working import Artifact
from core import ids
from core.store.rows import Reader
from core.work.claiming import claimable
from core.work.work import Work, open_work
from hub.http.ask import Asked, answer
from hub.http.guard import Guarded
from hub.http.paging import Cursor, Limit, page
from hub.http.permissions import needs, right, verb
from hub.http.waiting import wait_for

router = APIRouter(prefix="/v1/work", route_class=Guarded, tags=["work"])

_LOOK_AGAIN_SECONDS = 0.5


class Body(BaseModel):
    """What every body does: refuse what it does not know."""

    model_config = ConfigDict(extra="forbid")


class Claim(Body):
    """How long to wait for work."""

    wait_seconds: float = Field(default=0.0, ge=0, le=55)


class Report(Body):
    """What the agent says of the work; all of it is shown as its claim."""

    claim: str = Field(description="What came with the work.")
    progress: str | None = Field(default=None, description="One line.")
    output: str = Field(default="", description="Appended to what it printed so far; 64 KB at most.")
    artifacts: list[Artifact] = Field(default_factory=list)


class Conclusion(Report):
    """How it ended."""

    outcome: Literal["completed", "failed"]


@router.get("")
@needs(right("read"))
async def list_work(ask: Asked, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """What waits for an agent or is carried out by one, oldest first."""
    after = ids.parse("R", cursor) if cursor is not None else 0

    def read(reader: Reader) -> list[Work]:
        return open_work(reader, after=after, most=limit + 1)

    found = await ask.hub.db.read(read)
    return answer(page(found, limit, lambda each: each.name, lambda each: each.as_json()))


@router.post("/claim")
@needs(verb("work-claim"))
async def claim_work(ask: Asked, body: Claim) -> Response:
    """The next piece of work as `work`, or null when nothing came in time."""
    none = answer({"work": None})

    async def look() -> tuple[bool, Response]:
        waits = await ask.hub.db.read(claimable, ask.principal)
        if waits is None and body.wait_seconds:
            return False, none
        reply = await ask.act("work-claim", {})
        return reply.data["work"] is not None, answer(reply.data)

    return await wait_for(ask, look, subjects=(), timeout=body.wait_seconds, look_again_seconds=_LOOK_AGAIN_SECONDS)


@router.post("/{id}/report")
@needs(verb("work-report"))
async def report_work(ask: Asked, id: str, body: Report) -> Response:
    """A heartbeat, with progress, output and artifacts where there are any; `stop` says that it is no longer wanted."""
    return answer((await ask.act("work-report", _given(id, body))).data)


@router.post("/{id}/conclude")
@needs(verb("work-conclude"))
async def conclude_work(ask: Asked, id: str, body: Conclusion) -> Response:
    """The run has ended as the agent says."""
    return answer((await ask.act("work-conclude", _given(id, body))).data)


def _given(run: str, body: Report) -> dict[str, Any]:
    return {**body.model_dump(), "run": run}
