"""`/v1/delegations`: who decides for whom."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from hub.http.ask import Asked, answer
from hub.http.guard import Guarded
from hub.http.permissions import needs, verb

router = APIRouter(prefix="/v1/delegations", route_class=Guarded, tags=["delegations"])


class NewDelegation(BaseModel):
    """To whom (or that one is away), until when, for which actions, and on whose approval."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["delegate", "follow", "away"] | None = None
    to: str | None = Field(default=None, max_length=64)
    until: str = Field(max_length=64, description="A time (RFC 3339), or as it is said: friday, 18:00, 2h.")
    actions: list[str] = Field(default=[], max_length=50, description="Action names; none for all.")
    when: str | None = Field(default=None, max_length=64, description="Who must have approved as well.")


@router.get("")
@needs(verb("delegations"))
async def list_delegations(
    ask: Asked, which: Annotated[Literal["mine", "all"], Query(description="Given or got by you, or all.")] = "mine"
) -> Response:
    """The delegations in force, oldest first. There are few, so they are one page."""
    reply = await ask.act("delegations", {"which": which})
    return answer({"items": reply.data["items"], "next": None})


@router.post("", status_code=201)
@needs(verb("delegate"))
async def create_delegation(ask: Asked, body: NewDelegation) -> Response:
    """Let somebody decide in your place, or say that you are away."""
    if body.kind == "away":
        reply = await ask.act("away", {"until": body.until})
    else:
        reply = await ask.act("delegate", body.model_dump(exclude={"kind"}))
    made = reply.data["delegation"]
    return answer(made, 201, {"location": f"/v1/delegations/{made['id']}"})


@router.delete("/{id}")
@needs(verb("undelegate"))
async def end_delegation(ask: Asked, id: str) -> Response:
    """End a delegation that you gave or got; its delegate is silent at once."""
    reply = await ask.act("undelegate", {"which": [id]})
    return answer({"ended": reply.data["ended"]})
