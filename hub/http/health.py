"""`/healthz`, `/readyz`, `/metrics`: for whoever watches the process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from core.approvals.flags import halted
from hub.http.ask import answer
from hub.http.guard import HUB, Guarded
from hub.http.hub import Hub
from hub.http.permissions import OPEN, needs
from hub.metrics import CONTENT_TYPE, Counts, read_counts

COUNTS_FOR_SECONDS = 5.0
_VITAL = ("database", "migrations", "writer", "log", "redis")

router = APIRouter(route_class=Guarded, tags=["health"])


@router.get("/healthz")
@needs(OPEN)
async def is_alive() -> Response:
    """The process answers."""
    return answer({"ok": True})


@router.get("/readyz")
@needs(OPEN)
async def is_ready(request: Request) -> Response:
    """Whether the hub can do its work. 503 only for the database, its tables, the writer and the log."""
    hub: Hub = request.scope[HUB]
    health = dict(hub.health())
    vital = {name: health[name] for name in _VITAL if name in health}
    database = await _database(hub)
    vital["database"] = {**_part(vital.get("database")), "ok": database and _is_ok(vital.get("database"))}
    ready = all(_is_ok(part) for part in vital.values())
    return answer({"ready": ready, **health, **vital} | {"ready": ready}, 200 if ready else 503)


@router.get("/metrics")
@needs(OPEN)
async def metrics(request: Request) -> Response:
    """Prometheus exposition."""
    hub: Hub = request.scope[HUB]
    text = hub.metrics.render(
        counts=await _counts(request, hub),
        queued=hub.db.writer.queued,
        entries=hub.db.log.size,
        followers=hub.feed.subscribers,
    )
    return Response(text, media_type=CONTENT_TYPE)


async def _counts(request: Request, hub: Hub) -> Counts:
    """The counts by state, read at most every few seconds however often somebody scrapes."""
    now = hub.clock.monotonic()
    state = request.app.state
    if state.counts is None or now - state.counted_at >= COUNTS_FOR_SECONDS:
        state.counted_at = now
        state.counts = await hub.db.read(read_counts)
    counts: Counts = state.counts
    return counts


async def _database(hub: Hub) -> bool:
    try:
        await hub.db.read(halted)
    except Exception:  # whatever it is, the database does not answer
        return False
    return True


def _part(part: Any) -> Mapping[str, Any]:
    return part if isinstance(part, Mapping) else {}


def _is_ok(part: Any) -> bool:
    return bool(part.get("ok", True)) if isinstance(part, Mapping) else part is None or part in (True, "ok")
