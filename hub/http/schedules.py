"""`/v1/schedules`: commands that are given at their times."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from hub.http.ask import Asked, answer
from hub.http.guard import Guarded
from hub.http.permissions import needs, verb

router = APIRouter(prefix="/v1/schedules", route_class=Guarded, tags=["schedules"])


class NewCommand(BaseModel):
    """What is to be done: a verb that may be scheduled, and its arguments."""

    model_config = ConfigDict(extra="forbid")

    verb: Literal["request", "lock", "freeze"] = "request"
    args: dict[str, Any] = Field(description="For request: action, params, reason.")


class NewSchedule(BaseModel):
    """When, what, and what becomes of missed times."""

    model_config = ConfigDict(extra="forbid")

    when: str = Field(max_length=128, description="A cron line, a time (RFC 3339), or as it is said: 18:00, 2h.")
    command: NewCommand
    timezone: str | None = Field(default=None, max_length=64, description="Yours, or the hub's, when not given.")
    missed: Literal["skip", "run-once"] = Field(default="skip", description="What becomes of missed times.")


class Changed(BaseModel):
    """Whether it is to be paused."""

    model_config = ConfigDict(extra="forbid")

    paused: bool


@router.get("")
@needs(verb("schedules"))
async def list_schedules(
    ask: Asked, which: Annotated[Literal["mine", "all"], Query(description="Yours, or all that you may see.")] = "all"
) -> Response:
    """The schedules that have not ended, oldest first, as one page."""
    reply = await ask.act("schedules", {"which": which})
    return answer({"items": reply.data["items"], "next": None})


@router.post("", status_code=201)
@needs(verb("schedule"))
async def create_schedule(ask: Asked, body: NewSchedule) -> Response:
    """Have a command given at its times, as you."""
    made = (await ask.act("schedule", body.model_dump())).data["schedule"]
    return answer(made, 201, {"location": f"/v1/schedules/{made['id']}"})


@router.get("/{id}")
@needs(verb("show-schedule"))
async def get_schedule(ask: Asked, id: str) -> Response:
    """One schedule, also one that has ended."""
    return answer((await ask.act("show-schedule", {"id": id})).data["schedule"])


@router.patch("/{id}")
@needs(verb("pause"))
async def change_schedule(ask: Asked, id: str, body: Changed) -> Response:
    """Pause it, or let it go on from its next time."""
    return answer((await ask.act("pause" if body.paused else "unpause", {"id": id})).data["schedule"])


@router.delete("/{id}")
@needs(verb("unschedule"))
async def end_schedule(ask: Asked, id: str) -> Response:
    """End it."""
    return answer((await ask.act("unschedule", {"id": id})).data["schedule"])


@router.post("/{id}/fire", status_code=202)
@needs(verb("fire"))
async def fire_schedule(ask: Asked, id: str) -> Response:
    """Have it give its command now, once, beside its times. Only who owns it can."""
    return answer((await ask.act("fire", {"id": id})).data["schedule"], 202)
