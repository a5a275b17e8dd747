"""The OpenAPI document, which also holds the routes that go without FastAPI, and the page that shows it.

The page is made here, from the document, so that it needs nothing from any other host.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from hub.http.ask import answer
from hub.http.guard import Guarded, Hot
from hub.http.permissions import OPEN, Permission, needs, permission_of

_METHODS = ("get", "post", "patch", "put", "delete")
_PARAMETER = re.compile(r"{(\w+)}")

router = APIRouter(route_class=Guarded, include_in_schema=False)


@router.get("/openapi.json")
@needs(OPEN)
async def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return answer(request.app.openapi())


@router.get("/docs")
@needs(OPEN)
async def docs(request: Request) -> Response:
    """The operations, as a page."""
    return HTMLResponse(
        _HTML.format(rows="\n".join(_rows(request.app.openapi()))),
        headers={"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"},
    )


def document(app: FastAPI, hot: Iterable[BaseRoute], adapters: Iterable[BaseRoute]) -> dict[str, Any]:
    """Every operation of this hub, each with `x-permission`."""
    made = get_openapi(
        title="Interlock",
        version="1",
        summary="Ask for risky operations; others decide; they run once, in a log that anybody can verify.",
        routes=app.routes,
    )
    paths: dict[str, Any] = made["paths"]
    for route in app.routes:
        if isinstance(route, Guarded) and route.path_format in paths:
            for method in route.methods or ():
                _state(paths[route.path_format][method.lower()], permission_of(route.endpoint))
    for each in hot:
        if isinstance(each, Hot):
            for method in sorted((each.methods or set()) - {"HEAD"}):
                _add(paths, each.path_format, method, dict(each.operation), each.permission, each.name)
    for each in adapters:
        methods = getattr(each, "methods", None) or ()
        for method in sorted(set(methods) - {"HEAD"}):
            operation = {"summary": f"Served by a channel: {getattr(each, 'name', '')}.", "tags": ["channels"]}
            permission = Permission(kind="self")
            _add(paths, getattr(each, "path_format", ""), method, operation, permission, f"channel_{each.name}")  # type: ignore[attr-defined]
    made.setdefault("components", {}).setdefault("schemas", {}).update(_SCHEMAS)
    made["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key (`ilk_…`) or an access token."},
        "session": {"type": "apiKey", "in": "cookie", "name": "interlock_session"},
    }
    made["security"] = [{"bearer": []}, {"session": []}]
    return made


def _add(
    paths: dict[str, Any], path: str, method: str, operation: dict[str, Any], permission: Permission, name: str
) -> None:
    operation.setdefault("operationId", f"{name}_{method.lower()}")
    operation.setdefault("responses", {"200": {"description": "Done."}})
    parameters = [
        {"name": each, "in": "path", "required": True, "schema": {"type": "string"}}
        for each in _PARAMETER.findall(path)
    ]
    if parameters:
        operation["parameters"] = parameters + list(operation.get("parameters", []))
    _state(operation, permission)
    paths.setdefault(path, {})[method.lower()] = operation


def _state(operation: dict[str, Any], permission: Permission | None) -> None:
    """Say who may, and how it fails."""
    operation["x-permission"] = str(permission)
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = {
        "description": "A problem (RFC 9457) with a stable `code`.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if permission is not None and not permission.needs_caller:
        operation["security"] = []


def _rows(made: Mapping[str, Any]) -> Iterable[str]:
    for path, operations in sorted(made["paths"].items()):
        for method in _METHODS:
            operation = operations.get(method)
            if operation is not None:
                words = operation.get("description") or operation.get("summary") or ""
                yield (
                    f"<tr><td><b>{method.upper()}</b><td><code>{escape(path)}</code><td>{escape(words)}"
                    f"<td><code>{escape(str(operation.get('x-permission', '')))}</code>"
                )


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


_TEXT: dict[str, Any] = {"type": "string"}
_MAYBE_TEXT: dict[str, Any] = {"type": ["string", "null"]}
_NUMBER: dict[str, Any] = {"type": "integer"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_SCHEMAS: dict[str, Any] = {
    "Problem": _object(type=_TEXT, title=_TEXT, status=_NUMBER, code=_TEXT, detail=_TEXT),
    "Reply": _object(
        ok={"type": "boolean"},
        code=_TEXT,
        text=_TEXT,
        card={"type": "object"},
        approval={"$ref": "#/components/schemas/Approval"},
        data={"type": "object"},
        repeated={"type": "boolean"},
    ),
    "Approval": _object(
        id=_TEXT,
        version=_NUMBER,
        action=_TEXT,
        title=_TEXT,
        params={"type": "object"},
        reason=_MAYBE_TEXT,
        state=_TEXT,
        revision=_NUMBER,
        digest=_MAYBE_TEXT,
        requester={"type": "object"},
        policy=_TEXT,
        requirements={"type": "array", "items": {"type": "object"}},
        decisions={"type": "array", "items": {"type": "object"}},
        resources=_TEXTS,
        validation={"type": "array", "items": {"type": "object"}},
        preview={"type": ["object", "null"]},
        waiting_for={"type": "array", "items": {"type": "object"}},
        run={"type": ["object", "null"]},
        created_at=_TEXT,
        review_expires_at=_MAYBE_TEXT,
        apply_expires_at=_MAYBE_TEXT,
        hold_until=_MAYBE_TEXT,
    ),
    "Lease": _object(
        lock_id=_TEXT,
        resources=_TEXTS,
        mode=_TEXT,
        holder=_TEXT,
        token=_NUMBER,
        ttl_seconds={"type": "number"},
        acquired_at=_TEXT,
        heartbeat_at=_TEXT,
        expires_at=_MAYBE_TEXT,
        purpose=_MAYBE_TEXT,
    ),
    "Leases": _object(
        items={"type": "array", "items": {"$ref": "#/components/schemas/Lease"}},
        lost=_TEXTS,
    ),
    "Ticket": _object(
        ticket=_TEXT,
        state=_TEXT,
        position=_NUMBER,
        expected_seconds={"type": ["number", "null"]},
        cycle={"type": "array", "items": {"type": "object"}},
        detail=_MAYBE_TEXT,
        lease={"anyOf": [{"$ref": "#/components/schemas/Lease"}, {"type": "null"}]},
    ),
}
_HTML = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Interlock: HTTP API</title>
<style>
  :root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }}
  body {{ margin: 2rem auto; max-width: 70rem; padding: 0 1rem }}
  td, th {{ text-align: left; vertical-align: top; padding: .25em .8em .25em 0 }}
</style>
<h1>Interlock: HTTP API</h1>
<p>Machine-readable: <a href="/openapi.json">/openapi.json</a>. Errors are problem documents (RFC 9457) with a stable
<code>code</code>. Send <code>Authorization: Bearer</code> with a key, or the session cookie.</p>
<table><tr><th><th>Path<th>What it does<th>Who may
{rows}
</table>
</html>
"""
