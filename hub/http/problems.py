"""Errors as RFC 9457 problem documents, each with a stable `code`; never a trace, never an internal name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
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
    "method_not_allowed": 405,
    "media_type": 415,
    # Codes that reach us in a Reply, without the class of their refusal.
    "too_fast": 429,
    "too_large": 413,
    "overloaded": 503,
    "stopping": 503,
    "disk_reserve": 503,
}
_RESERVED = frozenset({"type", "title", "status", "detail", "code", "instance"})


def status_of(refusal: Refusal) -> int:
    """The HTTP status of a refusal: its code's own where it has one, else that of its class."""
    own = _BY_CODE.get(refusal.code)
    if own is not None:
        return own
    return next((status for kind, status in _STATUS if isinstance(refusal, kind)), 400)


def status_of_code(code: str | None) -> int | None:
    """The status that a code always has, whatever raised it; None for one that has none."""
    return _BY_CODE.get(code or "")


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
    wait = refusal.data.get("retry_after_seconds")
    if status in (429, 503):
        headers["retry-after"] = str(max(1, math.ceil(float(wait)))) if wait is not None else "1"
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


def of_accident(request_id: str) -> Response:
    """The problem of a bug: an id, by which the log tells the rest."""
    return problem(
        500,
        "internal_error",
        f"something went wrong inside the hub; its log has the details under {request_id}",
        more={"request_id": request_id},
    )
