"""The ASGI application of a hub: every route behind its door, adapters' routes beside them, all behind the edge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp

from core.audit.subtrees import Subtrees
from hub.http import (
    agents,
    approvals,
    asked_links,
    audit,
    batch,
    channels,
    commands,
    delegations,
    events,
    freezes,
    grants,
    health,
    keys,
    language,
    leases,
    oidc,
    openapi,
    people,
    receipts,
    runs,
    schedules,
    sessions,
    signin,
    triggers,
    work,
)
from hub.http.edge import Edge
from hub.http.guard import Guarded, Hot, stated
from hub.http.hub import Hub
from hub.http.problems import of_http

ROUTERS: tuple[APIRouter, ...] = (
    approvals.router,
    batch.router,
    receipts.router,
    delegations.router,
    freezes.router,
    grants.router,
    schedules.router,
    triggers.router,
    leases.router,
    language.router,
    runs.router,
    events.router,
    audit.router,
    keys.router,
    sessions.router,
    people.router,
    agents.router,
    work.router,
    channels.router,
    oidc.router,  # before the links, whose token could be any word
    asked_links.router,
    signin.router,
    health.router,
    openapi.router,
)


def build_app(hub: Hub) -> ASGIApp:
    """The application. Raises ValueError for a route without a stated permission, or one that a channel takes over.

    The routes of a verb that no installed command family brings are not there.
    """
    hot = _of_this_hub([*commands.routes(), *leases.routes()], hub)
    ours = _of_this_hub([route for router in ROUTERS for route in router.routes], hub)
    theirs = [route for adapter in hub.adapters.values() for route in adapter.routes()]
    _demand_apart([*hot, *ours], theirs)
    return Edge(Router([*hot, *theirs], redirect_slashes=False, default=_api(ours, hot, theirs)), hub)


def _api(routes: Sequence[BaseRoute], hot: Sequence[BaseRoute], adapters: Sequence[BaseRoute]) -> FastAPI:
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: _no_such_route},
    )
    app.state.subtrees = Subtrees()
    app.state.counts = None
    app.state.counted_at = 0.0
    app.router.routes.extend(routes)
    made: dict[str, Any] = {}

    def described() -> dict[str, Any]:
        if not made:
            made.update(openapi.document(app, hot, adapters))
        return made

    app.openapi = described  # type: ignore[method-assign]
    return app


async def _no_such_route(request: Request, error: Exception) -> Response:
    """What the router itself refuses: an unknown path, or a method that the path does not have."""
    assert isinstance(error, HTTPException)
    return of_http(error)


def _of_this_hub(routes: Iterable[BaseRoute], hub: Hub) -> list[BaseRoute]:
    """The routes whose verb this hub has. Raises ValueError for one that states no permission."""
    kept: list[BaseRoute] = []
    for route in routes:
        if isinstance(route, Hot):
            permission = route.permission
        elif isinstance(route, Guarded):
            permission = stated(route.endpoint, route.path)
        else:
            raise ValueError(f"the route {getattr(route, 'path', route)} is behind no door, so it has no permission")
        if permission.kind != "verb" or hub.registry.find(permission.name) is not None:
            kept.append(route)
    return kept


def _demand_apart(ours: Iterable[BaseRoute], theirs: Iterable[BaseRoute]) -> None:
    """Nothing, when no channel serves an address of ours. A channel proves its senders itself, on its own addresses."""
    taken = {getattr(route, "path", None) for route in ours}
    for route in theirs:
        path = getattr(route, "path", None)
        if path is None or path in taken:
            raise ValueError(f"a channel serves {path or 'every address'}, which the hub serves itself")
