"""`/v1/leases`: acquire, heartbeat, release, break, wait. Called often, so without FastAPI, but for the list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Integer, and_, bindparam, or_, select
from starlette.responses import Response
from starlette.routing import BaseRoute

from commands.leasing import lease_json, ticket_json
from core import ids
from core.errors import Invalid
from core.leases.lease import lease_of
from core.leases.picture import picture
from core.leases.reading import ticket_as_it_is
from core.leases.terms import MAX_BATCH
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from hub.http.ask import Ask, Asked, answer
from hub.http.guard import Guarded, Hot
from hub.http.paging import Cursor, Limit, page
from hub.http.permissions import needs, right, verb
from hub.http.waiting import wait_for

router = APIRouter(prefix="/v1/leases", route_class=Guarded, tags=["leases"])

MOST_WAIT_SECONDS = 55.0

_T = schema.lease
_IN_FORCE = Statement(
    select(_T)
    .where(
        _T.c.id > bindparam("after"),
        or_(_T.c.state == "closed", and_(_T.c.state == "held", _T.c.expires_at > bindparam("now"))),
    )
    .order_by(_T.c.id)
    .limit(bindparam("most", type_=Integer()))
)


def routes() -> list[BaseRoute]:
    """The routes of this file that go without FastAPI."""
    return [
        _hot("/v1/leases/acquire", acquire, "POST", "Acquire all of the resources, or a place in the queue.", _ACQUIRE),
        _hot("/v1/leases/heartbeat", heartbeats, "POST", "Renew up to 200 leases of one session.", _HEARTBEATS),
        _hot("/v1/leases/{lock_id}/heartbeat", heartbeat, "POST", "Renew a lease.", _TOKEN),
        _hot("/v1/leases/{lock_id}/release", release, "POST", "Give a lease back.", _TOKEN),
        _hot("/v1/leases/{lock_id}/convert", convert, "POST", "Hold in another mode: shared, or alone.", _CONVERT),
        _hot("/v1/leases/{lock_id}/transfer", transfer, "POST", "Give it to another principal or holder.", _TRANSFER),
        _hot("/v1/leases/{lock_id}/break", break_lease, "POST", "End another's lease.", {"reason": {"type": "string"}}),
        _hot("/v1/leases/tickets/{ticket}", look_at_ticket, "GET", "A place in the queue; asking keeps it.", None),
        _hot("/v1/leases/tickets/{ticket}", give_up_ticket, "DELETE", "Give up a place in the queue.", None),
    ]


@router.get("")
@needs(right("read"))
async def list_leases(ask: Asked, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """The leases in force, and those that an unknown outcome keeps closed, oldest first."""
    after = ids.parse("L", cursor) if cursor is not None else 0

    def read(reader: Reader) -> dict[str, Any]:
        rows = reader.all(_IN_FORCE, after=after, now=reader.now_us, most=limit + 1)
        found = [lease_of(row) for row in rows]
        return page(found, limit, lambda lease: lease.lock_id, lease_json)

    return answer(await ask.hub.db.read(read))


@router.get("/picture")
@needs(right("read"))
async def lease_picture(ask: Asked) -> Response:
    """Who holds what and who waits behind whom, at one moment, with estimates."""
    return answer(await ask.hub.db.read(picture))


@needs(verb("lease-acquire"))
async def acquire(ask: Ask) -> Response:
    """200 with the lease, 202 with a ticket."""
    return await _lease_or_place(ask, "lease-acquire", _object(ask))


@needs(verb("lease-convert"))
async def convert(ask: Ask) -> Response:
    """200 with the lease that stands in place of this one, 202 with a ticket."""
    return await _lease_or_place(ask, "lease-convert", {**_object(ask), "lock_id": ask.request.path_params["lock_id"]})


async def _lease_or_place(ask: Ask, name: str, args: dict[str, Any]) -> Response:
    key = ask.request.headers.get("idempotency-key")
    reply = await ask.act(name, {"key": key, **args} if key is not None else args)
    if "lease" in reply.data:
        return answer(reply.data["lease"])
    ticket = reply.data["ticket"]
    return answer(ticket, 202, {"location": f"/v1/leases/tickets/{ticket['ticket']}"})


@needs(verb("lease-heartbeat"))
async def heartbeat(ask: Ask) -> Response:
    """The renewed lease."""
    return await _on_lease(ask, "lease-heartbeat")


@needs(verb("lease-heartbeats"))
async def heartbeats(ask: Ask) -> Response:
    """The renewed leases, and the ids of those that are lost."""
    reply = await ask.act("lease-heartbeats", _object(ask))
    return answer({"items": reply.data["items"], "lost": reply.data["lost"]})


@needs(verb("lease-release"))
async def release(ask: Ask) -> Response:
    """The lease as it ended."""
    return await _on_lease(ask, "lease-release")


@needs(verb("lease-transfer"))
async def transfer(ask: Ask) -> Response:
    """The lease of whoever has it now, which stands in place of this one."""
    return await _on_lease(ask, "lease-transfer")


@needs(verb("lease-break"))
async def break_lease(ask: Ask) -> Response:
    """The lease as it was broken."""
    return await _on_lease(ask, "lease-break")


@needs(verb("lease-poll"))
async def look_at_ticket(ask: Ask) -> Response:
    """The ticket once it waits no longer, or as it is when the time is over."""
    ticket = ask.request.path_params["ticket"]

    number = ids.parse("T", ticket)

    async def look() -> tuple[bool, Response]:
        """What the news told of is read; only a place that still waits is spoken for, which is a write."""
        seen = await ask.hub.db.read(ticket_as_it_is, ask.principal.id, number)
        if seen.state != "waiting":
            return True, answer(ticket_json(seen))
        reply = await ask.act("lease-poll", {"ticket": ticket})
        return reply.data["ticket"]["state"] != "waiting", answer(reply.data["ticket"])

    wait = _seconds(ask.request.query_params.get("wait"))
    if not wait:
        return (await look())[1]
    lock_id = (await ask.hub.db.read(ticket_as_it_is, ask.principal.id, number)).lock_id
    return await wait_for(ask, look, subjects=(lock_id,), timeout=wait)


@needs(verb("lease-cancel"))
async def give_up_ticket(ask: Ask) -> Response:
    """The ticket as it ended."""
    reply = await ask.act("lease-cancel", {"ticket": ask.request.path_params["ticket"]})
    return answer(reply.data["ticket"])


async def _on_lease(ask: Ask, name: str) -> Response:
    args = {**_object(ask), "lock_id": ask.request.path_params["lock_id"]}
    return answer((await ask.act(name, args)).data["lease"])


def _object(ask: Ask) -> dict[str, Any]:
    if ask.body is None:
        return {}
    if not isinstance(ask.body, dict):
        raise Invalid("invalid_request", "send a JSON object")
    return ask.body


def _seconds(text: str | None) -> float:
    """How long to wait. Raises Invalid (`invalid_request`)."""
    if text is None:
        return 0.0
    if not (text.isascii() and text.replace(".", "", 1).isdigit()) or len(text) > 10:
        raise Invalid("invalid_request", "wait: is a number of seconds")
    return min(float(text), MOST_WAIT_SECONDS)


_TOKEN = {"token": {"type": "integer"}}
_ACQUIRE = {
    "resources": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    "mode": {"type": "string", "enum": ["exclusive", "shared"]},
    "ttl_seconds": {"type": "number"},
    "wait_seconds": {"type": "number"},
    "priority": {"type": "integer"},
    "purpose": {"type": "string"},
    "holder": {"type": "string"},
    "session": {"type": "string"},
    "max_hold_seconds": {"type": "number"},
    "lock_delay_seconds": {"type": "number"},
}
_CONVERT = {**_TOKEN, "mode": _ACQUIRE["mode"], "wait_seconds": {"type": "number"}}
_TRANSFER = {**_TOKEN, "to": {"type": "string"}, "holder": {"type": "string"}}
_HEARTBEATS = {
    "session": {"type": "string"},
    "leases": {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_BATCH,
        "items": {
            "type": "object",
            "properties": {"lock_id": {"type": "string"}, **_TOKEN},
            "required": ["lock_id", "token"],
        },
    },
}
_REQUIRED = ("resources", "token", "reason", "leases", "to")


def _hot(
    path: str,
    endpoint: Callable[[Ask], Awaitable[Response]],
    method: str,
    summary: str,
    properties: dict[str, Any] | None,
) -> Hot:
    shape = "Ticket" if "tickets" in path else "Leases" if path == "/v1/leases/heartbeat" else "Lease"
    done = {
        "description": shape,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape}"}}},
    }
    operation: dict[str, Any] = {"summary": summary, "tags": ["leases"], "responses": {"200": done}}
    if path.endswith(("/acquire", "/convert")):
        operation["responses"]["202"] = {**done, "description": "A place in the queue."}
        operation["responses"]["202"]["content"] = {
            "application/json": {"schema": {"$ref": "#/components/schemas/Ticket"}}
        }
    if properties is not None:
        schema = {
            "type": "object",
            "properties": properties,
            "required": [name for name in properties if name in _REQUIRED],
        }
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if method == "GET":
        operation["parameters"] = [
            {
                "name": "wait",
                "in": "query",
                "schema": {"type": "number"},
                "description": "Seconds to wait.",
            }
        ]
    return Hot(path, endpoint, methods=[method], operation=operation)
