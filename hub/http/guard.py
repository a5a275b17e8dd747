"""Every route's door: who calls, whether they may, whether the body can be read; and every refusal as a problem.

`Guarded` is the door of the FastAPI routes, `Hot` that of the few that are called so often that they go without
FastAPI. Both are built only for an endpoint that states its permission, and check it on the matched route.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import Forbidden, Invalid, Refusal, StoreError, Unproven
from hub.http.ask import Ask, keep_ask, record_refusal
from hub.http.auth import call_of, identify
from hub.http.hub import Hub
from hub.http.permissions import Permission, permission_of
from hub.http.problems import of_accident, of_refusal, of_store_error

_JSON = "application/json"
_TAKEN = frozenset({_JSON, "application/x-www-form-urlencoded", "text/plain"})
"""What a body that is JSON may be called: `curl -d` calls everything a form. Another site's page gets no further
than `demand_same_site`, whatever it calls it."""

HUB = "interlock.hub"
"""Where the scope holds the hub."""

Handler = Callable[[Request, Ask | None], Awaitable[Response]]

logger = logging.getLogger("interlock.http")


def stated(endpoint: Callable[..., Any], path: str) -> Permission:
    """The endpoint's permission. Raises ValueError for one that states none: the hub does not start."""
    permission = permission_of(endpoint)
    if permission is None:
        raise ValueError(f"the route {path} states no permission")
    return permission


class Guarded(APIRoute):
    """A FastAPI route behind the door."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        permission = stated(self.endpoint, self.path)
        takes_body = self.body_field is not None

        async def enter(request: Request, ask: Ask | None) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                refusal = _invalid(error)
            raise await ask.refuse(refusal) if ask is not None else refusal

        async def door(request: Request) -> Response:
            return await through(request, permission, enter, takes_body=takes_body)

        return door


class Hot(Route):
    """A plain route behind the door. `operation` describes it in the OpenAPI document."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Ask], Awaitable[Response]],
        *,
        methods: Collection[str],
        operation: Mapping[str, Any],
    ) -> None:
        permission = stated(endpoint, path)
        if not permission.needs_caller:
            raise ValueError(f"the route {path} has no caller to hand over")
        self.operation = operation

        async def enter(request: Request, ask: Ask | None) -> Response:
            assert ask is not None
            return await endpoint(ask)

        async def door(request: Request) -> Response:
            return await through(request, permission, enter)

        super().__init__(path, door, methods=list(methods), name=endpoint.__name__, include_in_schema=False)
        self.permission = permission


async def through(request: Request, permission: Permission, enter: Handler, *, takes_body: bool = True) -> Response:
    """The endpoint's response, or the problem that kept the request from it."""
    hub: Hub = request.scope[HUB]
    try:
        if permission.needs_caller:
            return await enter(request, await _admit(request, permission, hub))
        if takes_body:
            _read(request, await request.body())
        return await enter(request, None)
    except Unproven as refusal:
        hub.unproven("http", refusal.code)
        return of_refusal(refusal)
    except Refusal as refusal:
        return of_refusal(refusal)
    except StoreError as error:
        logger.error("the database failed: %s", error)
        return of_store_error(error)
    except Exception:
        request_id = str(request.scope["state"]["request_id"])
        logger.exception("a request failed", extra={"request_id": request_id})
        return of_accident(request_id)


async def _admit(request: Request, permission: Permission, hub: Hub) -> Ask:
    try:
        caller, channel = await identify(request, hub, request.method)
    except Forbidden as refusal:
        hub.unproven("http", refusal.code)
        raise
    call = call_of(caller, channel, hub)
    try:
        permission.demand(call, hub.registry)
        raw = await request.body()
        body = _read(request, raw)
    except Refusal as refusal:
        await record_refusal(hub, call, f"{request.method} {request.scope['route'].path}", refusal)
        raise
    ask = Ask(hub=hub, request=request, caller=caller, call=call, raw=raw, body=body)
    keep_ask(ask)
    return ask


def _read(request: Request, raw: bytes) -> Any:
    """The body as JSON, None for none; FastAPI takes the same value."""
    if not raw:
        return None
    media = request.headers.get("content-type", _JSON).partition(";")[0].strip().lower()
    if media not in _TAKEN and not media.endswith("+json"):
        raise Invalid("media_type", "send the body as application/json")
    body = read_json(raw)
    request._json = body
    headers = request.scope["headers"]
    headers[:] = [each for each in headers if each[0] != b"content-type"] + [(b"content-type", _JSON.encode())]
    return body


def read_json(raw: bytes) -> Any:
    """The value of a JSON text. Raises Invalid: `not_utf8`, `invalid_characters`, `bad_json`."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise Invalid("not_utf8", "the body is not UTF-8") from None
    if b"\0" in raw or b"\\u0000" in raw:
        raise Invalid("invalid_characters", "the body holds a NUL character")
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Invalid("bad_json", f"the body is no JSON: {error}") from None


def _invalid(error: RequestValidationError) -> Invalid:
    """What is wrong with a request's shape, by field, without what the sender wrote."""
    found = [
        {
            "field": ".".join(str(part) for part in each["loc"] if part != "body") or "body",
            "message": "is missing" if each["type"] == "missing" else each["msg"],
        }
        for each in error.errors()[:10]
    ]
    first = found[0]
    return Invalid("invalid_request", f"{first['field']}: {first['message']}", errors=found)
