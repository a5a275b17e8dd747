"""`/v1/agents`: who they are, how they are, what they were told; suspended, paused, heard."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core.agents.health import agents_json
from core.agents.inbox import waiting
from core.agents.standing import agent_of
from core.errors import Forbidden, NotFound
from core.people.directory import Kind
from core.store.rows import Reader
from hub.http.ask import Ask, Asked, answer
from hub.http.guard import Guarded
from hub.http.paging import Cursor, Limit, page
from hub.http.people import principal_fields
from hub.http.permissions import needs, right, verb
from hub.http.waiting import wait_for

router = APIRouter(prefix="/v1/agents", route_class=Guarded, tags=["agents"])


class Body(BaseModel):
    """What every body does: refuse what it does not know."""

    model_config = ConfigDict(extra="forbid")


class Why(Body):
    """Why."""

    reason: str = Field(min_length=1, max_length=4096)


class Message(Body):
    """What to tell it."""

    text: str = Field(min_length=1, max_length=4096)


class Heartbeat(Body):
    """How the agent says it is. All of it is shown as its claim."""

    health: Literal["ok", "degraded", "failing"] = "ok"
    claim: dict[str, str] = Field(default_factory=dict, description="A few facts: version, availability, load.")
    note: str | None = Field(default=None, max_length=500)


class Answer(Body):
    """What the agent says to a message."""

    answer: str | None = Field(default=None, max_length=4096)


@router.get("")
@needs(right("read"))
async def list_agents(ask: Asked, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """The agents and services of the configuration in force, with who owns them; of agents, how they are."""
    kinds = (Kind.AGENT, Kind.SERVICE)
    found = [each for each in ask.world.people if each.kind in kinds and each.id > (cursor or "")]
    found = sorted(found, key=lambda each: each.id)[: limit + 1]
    agents = [each for each in found if each.kind is Kind.AGENT]
    how = await ask.hub.db.read(agents_json, agents, ask.world.limits)
    known = {each["id"]: each for each in how}
    return answer(page(found, limit, lambda each: each.id, lambda each: known.get(each.id) or principal_fields(each)))


@router.get("/{id}")
@needs(right("read"))
async def show_agent(ask: Asked, id: str) -> Response:
    """One agent."""
    agent = agent_of(ask.world, id)
    (shown,) = await ask.hub.db.read(agents_json, [agent], ask.world.limits)
    return answer(shown)


@router.post("/{id}/suspend")
@needs(verb("suspend"))
async def suspend_agent(ask: Asked, id: str, body: Why) -> Response:
    """End its keys, open requests and runs."""
    return await _steered(ask, "suspend", id, body.reason)


@router.post("/{id}/unsuspend")
@needs(verb("unsuspend"))
async def unsuspend_agent(ask: Asked, id: str) -> Response:
    """Let it act again, with new keys."""
    return await _steered(ask, "unsuspend", id)


@router.post("/{id}/pause")
@needs(verb("agent-pause"))
async def pause_agent(ask: Asked, id: str, body: Why) -> Response:
    """Let it ask for nothing new; it is asked to acknowledge."""
    return await _steered(ask, "agent-pause", id, body.reason)


@router.post("/{id}/resume")
@needs(verb("agent-unpause"))
async def resume_agent(ask: Asked, id: str) -> Response:
    """Let a paused agent ask again."""
    return await _steered(ask, "agent-unpause", id)


@router.post("/{id}/messages", status_code=201)
@needs(verb("tell"))
async def tell_agent(ask: Asked, id: str, body: Message) -> Response:
    """Leave it a message that it has to acknowledge."""
    return answer((await ask.act("tell", {"agent": id, "words": [body.text]})).data["message"], 201)


@router.get("/{id}/messages")
@needs(right("read"))
async def list_messages(
    ask: Asked, id: str, wait: Annotated[float, Query(ge=0, le=55, description="Seconds to wait for one.")] = 0.0
) -> Response:
    """What it has not acknowledged, oldest first; for itself and its owners."""
    agent = agent_of(ask.world, ask.principal.id if id == "me" else id)
    if ask.principal.id != agent.id and ask.principal.id not in agent.owners:
        raise await ask.refuse(Forbidden("not_allowed", f"the messages of {agent.id} are for itself and its owners"))

    async def look() -> tuple[bool, Response]:
        def read(reader: Reader) -> list[dict[str, Any]]:
            return [each.as_json() for each in waiting(reader, agent.id)]

        items = await ask.hub.db.read(read)
        return bool(items), answer({"items": items, "next": None})

    return await wait_for(ask, look, subjects=(agent.id,), timeout=wait)


@router.post("/{id}/messages/{message}/ack")
@needs(verb("ack"))
async def acknowledge_message(ask: Asked, id: str, message: str, body: Answer) -> Response:
    """The agent has taken note of a message."""
    _demand_self(ask, id)
    reply = await ask.act("ack", {"message": message, "answer": [body.answer] if body.answer else []})
    return answer(reply.data["message"])


@router.post("/{id}/heartbeat")
@needs(verb("heartbeat"))
async def heartbeat(ask: Asked, id: str, body: Heartbeat) -> Response:
    """The agent lives; the answer holds whether it may act, and the messages that wait."""
    _demand_self(ask, id)
    args = {"health": body.health, "claim": body.claim, "reason": body.note}
    return answer((await ask.act("heartbeat", args)).data)


def _demand_self(ask: Ask, name: str) -> None:
    """Nothing, for the agent itself. Raises NotFound."""
    if name not in ("me", ask.principal.id):
        raise NotFound("not_found", "an agent speaks for itself alone; write `me`")


async def _steered(ask: Ask, name: str, agent: str, reason: str | None = None) -> Response:
    reply = await ask.act(name, {"agent": agent} | ({"reason": reason} if reason else {}))
    return answer(reply.as_json())
