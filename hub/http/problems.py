"""Errors as RFC 9457 problem documents, each with a stable `code`; never a trace, never an internal name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from core.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    StoreError,
    TooFast,
    TooLarge,
    Unavailable,
    Unproven,
)
from hub.contracts import Reply

MEDIA_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[Refusal], int], ...] = (
    (TooLarge, 413),
    (Invalid, 400),
    (Unproven, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (TooFast, 429),
    (Unavailable, 503),
)
_BY_CODE = {
    "idempotency_mismatch": 422,
    "version_stale": 412,
    "if_match_required": 428,
    "media_type": 415,
}
_OF_REPLY = _BY_CODE | {
    "too_fast": 429,
    "command_too_long": 413,
    "overloaded": 503,
    "stopping": 503,
    "disk_reserve": 503,
    "disk_full": 503,
    "read_only": 503,
}
"""Codes that are no answer to a command, whatever was asked."""
_REFUSED_PRESS = {
    **dict.fromkeys(("not_a_person", "own_request", "not_eligible", "assurance_too_low", "not_allowed"), 403),
    **dict.fromkeys(("key_may_not_decide", "may_not_stop"), 403),
    **dict.fromkeys(("unknown_press", "not_found"), 404),
    **dict.fromkeys(("usage", "invalid_characters", "digest_required"), 400),
    **dict.fromkeys(("confirmation_required", "confirmation_wrong"), 400),
    "unknown_sender": 401,
}
_RESERVED = frozenset({"type", "title", "status", "detail", "code", "instance"})


def status_of(refusal: Refusal) -> int:
    """The HTTP status of a refusal: its code's own where it has one, else that of its class."""
    own = _BY_CODE.get(refusal.code)
    if own is not None:
        return own
    return next((status for kind, status in _STATUS if isinstance(refusal, kind)), 400)


def of_reply(reply: Reply, *, answered: bool) -> Response | None:
    """The problem of a reply that refuses; None for one that is an answer all the same.

    With `answered` a refusal is an answer too, as to a typed command, unless it is about the asking itself.
    """
    if reply.ok or reply.code is None:
        return None
    status = _OF_REPLY.get(reply.code)
    if status is None:
        if answered:
            return None
        status = _REFUSED_PRESS.get(reply.code, 409)
    headers = {}
    if status in (429, 503):
        headers["retry-after"] = _seconds(reply.data.get("retry_after_seconds"))
    more = {**reply.data, "ok": False, "text": reply.text}
    return problem(status, reply.code, reply.text, headers=headers, more=more)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """A problem document; `more` are its extension members."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    document.update({name: value for name, value in (more or {}).items() if name not in _RESERVED})
    return Response(orjson.dumps(document, default=str), status, dict(headers or {}), media_type=MEDIA_TYPE)


def of_refusal(refusal: Refusal, *, more: Mapping[str, Any] | None = None) -> Response:
    """The problem of a refusal, with what its status needs: Retry-After, WWW-Authenticate, an end of the connection."""
    status = status_of(refusal)
    headers: dict[str, str] = {}
    if status in (429, 503):
        headers["retry-after"] = _seconds(refusal.data.get("retry_after_seconds"))
    if status == 413:
        headers["connection"] = "close"
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="interlock"'
    return problem(status, refusal.code, refusal.message, headers=headers, more={**refusal.data, **(more or {})})


def of_store_error(error: StoreError) -> Response:
    """The problem of a database that failed: nothing happened, and the same may be asked again."""
    return problem(
        503,
        "store_failed",
        "the hub's database failed; nothing of this was done",
        headers={"retry-after": "5"},
    )


def of_http(error: HTTPException) -> Response:
    """The problem of what a router refuses: an unknown path, a method that the path does not take."""
    if error.status_code == 404:
        return problem(404, "not_found", "there is nothing at this address")
    if error.status_code == 405:
        return problem(405, "method_not_allowed", "this path does not take that method", headers=error.headers)
    return problem(error.status_code, "invalid_request", str(error.detail), headers=error.headers)


def of_accident(request_id: str) -> Response:
    """The problem of a bug: an id, by which the log tells the rest."""
    return problem(
        500,
        "internal_error",
        f"something went wrong inside the hub; its log has the details under {request_id}",
        more={"request_id": request_id},
    )


def _seconds(wait: float | None) -> str:
    return str(max(1, math.ceil(wait or 0)))
