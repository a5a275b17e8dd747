"""`/v1/channels`, `/v1/deliveries`, `/v1/stats`, `/v1/reload`: how the hub is set up, and how it does."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Integer, bindparam, or_, select
from starlette.responses import Response

from core.approvals.flags import halted
from core.clock import rfc3339
from core.errors import Conflict, Invalid
from core.ids import show
from core.store import schema
from core.store.rows import Reader, Row
from core.store.statement import Statement
from hub.http.ask import Asked, answer
from hub.http.guard import Guarded
from hub.http.paging import Cursor, Limit, page
from hub.http.permissions import needs, right
from hub.metrics import read_counts

router = APIRouter(prefix="/v1", route_class=Guarded, tags=["hub"])

_D = schema.delivery
_STATES = ("pending", "sent", "dead", "done")
_DELIVERIES = Statement(
    select(_D)
    .where(_D.c.id < bindparam("before"), or_(_D.c.state == bindparam("state"), bindparam("state_any") == 1))
    .order_by(_D.c.id.desc())
    .limit(bindparam("most", type_=Integer()))
)


@router.get("/channels")
@needs(right("read"))
async def list_channels(ask: Asked) -> Response:
    """The channels that are switched on, and how each is. Settings are not shown."""
    states = ask.hub.health().get("adapters", {})
    items = [
        {
            "name": name,
            "adapter": ask.world.channels[name].adapter if name in ask.world.channels else name,
            "state": states.get(name, "ok"),
        }
        for name in sorted(ask.hub.adapters)
    ]
    return answer({"items": items, "next": None})


@router.get("/deliveries")
@needs(right("channels"))
async def list_deliveries(
    ask: Asked,
    state: Annotated[str | None, Query(max_length=16)] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Copies of cards, newest first: where they went, and what became of them."""
    if state is not None and state not in _STATES:
        raise Invalid("bad_state", f"{state!r} is no state of a copy; use one of {', '.join(_STATES)}")
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise Invalid("bad_cursor", "this is no cursor of this list")
    before = int(cursor) if cursor is not None else 2**62

    def read(reader: Reader) -> list[Row]:
        return reader.all(_DELIVERIES, before=before, state=state or "", state_any=int(state is None), most=limit + 1)

    found = await ask.hub.db.read(read)
    return answer(page(found, limit, lambda row: str(row["id"]), _delivery))


@router.get("/stats")
@needs(right("read"))
async def get_stats(ask: Asked) -> Response:
    """Counts by state, and what is in force."""
    counts, why = await ask.hub.db.read(lambda reader: (read_counts(reader), halted(reader)))
    return answer(
        {
            "approvals": counts["approval"],
            "runs": counts["run"],
            "leases": counts["lease"],
            "deliveries": counts["delivery"],
            "log": {"size": ask.hub.db.log.size, "origin": ask.hub.db.log.origin},
            "writer": {"queued": ask.hub.db.writer.queued},
            "followers": ask.hub.feed.subscribers,
            "config": {"version": ask.world.version, "digest": ask.world.digest},
            "halted": why,
        }
    )


@router.post("/reload")
@needs(right("channels"))
async def reload(ask: Asked) -> Response:
    """Put the configuration on disk in force, or say what is wrong with it and keep the old one."""

    async def take() -> dict[str, Any]:
        problems = await ask.hub.reload()
        if problems:
            more = "" if len(problems) == 1 else f" (and {len(problems) - 1} more)"
            raise Conflict("config_invalid", f"the old configuration stays: {problems[0]}{more}", problems=problems)
        return {"ok": True, "version": ask.hub.world.version, "digest": ask.hub.world.digest}

    return answer(await ask.kept(take))


def _delivery(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "approval": show("A", row["approval"]),
        "channel": row["channel"],
        "address": row["address"],
        "recipient": row["recipient"],
        "state": row["state"],
        "attempts": row["attempts"],
        "error": row["error"],
        "up_to_date": row["rendered"] >= row["desired"],
        "created_at": rfc3339(row["created_at"]),
        "updated_at": rfc3339(row["updated_at"]) if row["updated_at"] is not None else None,
        "due_at": rfc3339(row["due_at"]),
    }
