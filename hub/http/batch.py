"""`POST /v1/approvals/batch`: one verdict over several approvals, each with the digest that was looked at."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from commands.deciding import MOST_AT_ONCE
from commands.requesting import own
from core.errors import Invalid, Refusal
from hub.http.ask import Ask, Asked, answer
from hub.http.guard import Guarded
from hub.http.permissions import needs, verb

router = APIRouter(prefix="/v1/approvals", route_class=Guarded, tags=["approvals"])


class Item(BaseModel):
    """One approval and the revision that was looked at."""

    model_config = ConfigDict(extra="forbid")

    id: str
    digest: str | None = None
    confirm: str | None = Field(default=None, max_length=64, description="Its id, typed, where the policy asks for it.")


class Batch(BaseModel):
    """One verdict over several approvals, each decided for itself."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["approve", "reject", "request-changes"]
    items: list[Item] = Field(min_length=1, max_length=MOST_AT_ONCE)
    comment: str | None = None


@router.post("/batch")
@needs(verb("approve"))
async def decide_batch(ask: Asked, body: Batch) -> Response:
    """Decide on several; each item is answered for itself, and a repeated batch gets the answers of the first."""

    async def decide() -> dict[str, Any]:
        return {"items": [await _decide_item(ask, body, item, at) for at, item in enumerate(body.items)]}

    return answer(await ask.kept(decide, final=_final))


def _final(answered: dict[str, Any]) -> bool:
    """Whether the answers stand: those to somebody who was too fast are no answers yet."""
    return all(item.get("code") != "too_fast" for item in answered["items"])


async def _decide_item(ask: Ask, body: Batch, item: Item, at: int) -> dict[str, Any]:
    try:
        if not item.digest:
            raise await ask.refuse(Invalid("digest_required", "say which revision you looked at: send its digest"))
        args = {"ids": [item.id], "digest": item.digest, "confirm": item.confirm, "comment": body.comment}
        reply = await ask.act(body.verdict, args, part=f"#{at}")
    except Refusal as refusal:
        refused = {"id": item.id, "ok": False, "code": refusal.code, "detail": refusal.message}
        return {**refused, "state": await _state_of(ask, item.id)}
    return {"id": item.id, "ok": True, "state": reply.approval["state"] if reply.approval else None}


async def _state_of(ask: Ask, name: str) -> str | None:
    try:
        return str((await ask.hub.db.read(lambda reader: own(reader, ask.call, name))).state)
    except Refusal:
        return None
