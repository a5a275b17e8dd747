"""Carries out one operation that is an HTTP call, and says what is known of its outcome."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from core.apply.action import HttpSpec
from core.apply.deadline import Deadline
from core.apply.environment import Resolve, RunMarks, resolve_references
from core.apply.output import OUTPUT_LIMIT, Capture
from core.apply.watch import Stop
from core.clock import Clock, SystemClock
from core.errors import Conflict, Invalid
from core.net import Lookup, look_up, safe_client

Outcome = Literal["completed", "failed", "unknown"]

_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})
_OF_GATEWAYS = frozenset({502, 504})
"""A gateway says these when it does not know what became of the request behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpExit:
    """How a call ended, and what was answered."""

    outcome: Outcome
    reason: str
    """For people: `answered 409`, `the connection was lost after the request had been sent`."""
    sent: bool
    """Whether any of the request may have reached the other side."""
    status_code: int | None
    output: str
    output_sha256: str
    truncated_bytes: int
    started_at: int
    ended_at: int
    """Microseconds since 1970."""


async def call(
    spec: HttpSpec,
    *,
    resolve: Resolve,
    stop: Stop,
    deadline: Deadline | None = None,
    marks: RunMarks | None = None,
    redact: Iterable[str] = (),
    output_limit: int = OUTPUT_LIMIT,
    clock: Clock | None = None,
    lookup: Lookup = look_up,
    ssl_context: ssl.SSLContext | None = None,
) -> HttpExit:
    """The rendered `spec` was asked once, and the answer says what is known.

    `marks` are given for an apply or a rollback: the run's id is sent as Idempotency-Key and its token as
    Interlock-Fence. A preview or a validation sends neither. Every Refusal (`bad_url`, `bad_header`,
    `private_address`, `stopped`, `lease_lost`) means that nothing was sent.
    """
    clock, deadline = clock or SystemClock(), deadline or Deadline()
    if stop.is_set():
        raise Conflict("stopped", "the run was stopped before its call was sent")
    if deadline.at is not None and time.monotonic() >= deadline.at:
        raise Conflict("lease_lost", "the run's lease ended before its call was sent")
    headers, content, hidden = _request(spec, resolve, marks)
    exchange = _Exchange(Capture(limit=output_limit, secrets=(*redact, *hidden)))
    started_at = clock.wall_us()
    async with safe_client(allow_private=spec.allow_private, lookup=lookup, ssl_context=ssl_context) as client:
        request = client.build_request(spec.method, _url(spec), headers=headers, content=content, timeout=None)
        request.extensions["trace"] = exchange.trace
        outcome, reason = await _bounded(exchange, client, request, spec.timeout_seconds, stop, deadline)
    exchange.capture.end()
    return HttpExit(
        outcome=outcome,
        reason=reason,
        sent=exchange.sent,
        status_code=exchange.status_code,
        output=exchange.capture.text(),
        output_sha256=exchange.capture.sha256,
        truncated_bytes=exchange.capture.truncated_bytes,
        started_at=started_at,
        ended_at=max(started_at, clock.wall_us()),
    )


class _Exchange:
    """One request and as much of its answer as came."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.sent = False
        self.status_code: int | None = None
        self._limit = OUTPUT_LIMIT

    async def trace(self, event: str, info: Any) -> None:
        """Whether the first byte was about to leave is noted."""
        if event.endswith("send_request_headers.started"):
            self.sent = True

    async def carry_out(self, client: httpx.AsyncClient, request: httpx.Request, limit: int) -> None:
        """The answer was read to its end or to the limit."""
        answer = await client.send(request, stream=True)
        try:
            self.status_code = answer.status_code
            read = 0
            async for part in answer.aiter_raw():
                self.capture.feed(part)
                read += len(part)
                if read > limit:
                    break
        finally:
            await answer.aclose()


async def _bounded(
    exchange: _Exchange,
    client: httpx.AsyncClient,
    request: httpx.Request,
    timeout_seconds: float,
    stop: Stop,
    deadline: Deadline,
) -> tuple[Outcome, str]:
    """The exchange is over: answered, failed, or given up at the timeout, at stop, or when the lease was lost."""
    raise NotImplementedError
