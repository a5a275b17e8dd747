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
    approvals,
    audit,
    channels,
    commands,
    events,
    health,
    keys,
    leases,
    openapi,
    people,
    runs,
    sessions,
    signin,
)
from hub.http.edge import Edge
from hub.http.guard import Guarded, Hot, stated
from hub.http.hub import Hub
from hub.http.problems import problem

ROUTERS: tuple[APIRouter, ...] = (
    approvals.router,
    leases.router,
    runs.router,
    events.router,
    audit.router,
    keys.router,
    sessions.router,
    people.router,
    channels.router,
    signin.router,
    health.router,
    openapi.router,
)


def build_app(hub: Hub) -> ASGIApp:
    """The application. Raises ValueError for a route without a stated permission, or a verb that the hub lacks."""
    hot = [*commands.routes(), *leases.routes()]
    channel_routes = [route for adapter in hub.adapters.values() for route in adapter.routes()]
    api = _api(ROUTERS, hot, channel_routes)
    _demand_permissions([*hot, *api.routes], hub)
    _demand_apart([*hot, *api.routes], channel_routes)
    return Edge(Router([*hot, *channel_routes], redirect_slashes=False, default=api), hub)


def _api(routers: Iterable[APIRouter], hot: Sequence[BaseRoute], adapters: Sequence[BaseRoute]) -> FastAPI:
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
    for router in routers:
        app.router.routes.extend(router.routes)
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
    if error.status_code == 405:
        return problem(405, "method_not_allowed", "this path does not take that method", headers=error.headers)
    if error.status_code == 404:
        return problem(404, "not_found", "there is nothing at this address")
    return problem(error.status_code, "invalid_request", str(error.detail))


def _demand_permissions(routes: Iterable[BaseRoute], hub: Hub) -> None:
    for route in routes:
        if isinstance(route, Hot):
            permission = route.permission
        elif isinstance(route, Guarded):
            permission = stated(route.endpoint, route.path)
        else:
            raise ValueError(f"the route {getattr(route, 'path', route)} is behind no door, so it has no permission")
        if permission.kind == "verb" and hub.registry.find(permission.name) is None:
            raise ValueError(f"the route {route.path} needs the verb {permission.name}, which this hub does not have")


def _demand_apart(ours: Iterable[BaseRoute], theirs: Iterable[BaseRoute]) -> None:
    """Nothing, when no channel serves an address of ours. A channel proves its senders itself, on its own addresses."""
    taken = {getattr(route, "path", None) for route in ours}
    for route in theirs:
        path = getattr(route, "path", None)
        if path is None or path in taken:
            raise ValueError(
                f"a channel may not serve {path or 'without an address of its own'}: that is the hub's own"
            )
