"""`/v1/approvals/{id}/receipt`: what proves, without this hub, that something was approved and what became of it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from commands.requesting import own
from core.receipt.making import make
from core.store.rows import Reader
from hub.http.ask import Asked, answer
from hub.http.audit import Leaves, checkpoint_over, subtrees_of
from hub.http.guard import Guarded
from hub.http.permissions import needs, right

router = APIRouter(prefix="/v1/approvals", route_class=Guarded, tags=["approvals"])


@router.get("/{id}/receipt")
@needs(right("read"))
async def receipt(ask: Asked, id: str) -> Response:
    """The receipt of an approved request, up to now; `interlock verify-receipt` checks it."""
    await ask.hub.db.read(lambda reader: own(reader, ask.call, id))
    note = await checkpoint_over(ask, ask.hub.db.log.size)
    subtrees = subtrees_of(ask)

    def read(reader: Reader) -> dict[str, Any]:
        approval = own(reader, ask.call, id)
        return make(reader, approval, note, sign=ask.hub.state, subtrees=subtrees, source=Leaves(reader))

    return answer(await ask.hub.db.read(read))
