"""Carries out one operation that is an HTTP call, and says what is known of its outcome."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from core.apply.action import HttpSpec
from core.apply.deadline import Deadline
from core.apply.environment import RunMarks
from core.apply.output import Capture
from core.apply.printed import OUTPUT_LIMIT
from core.apply.template import HttpCall
from core.apply.watch import Stop
from core.clock import Clock, SystemClock
from core.errors import Conflict, Invalid
from core.net import Lookup, look_up, safe_client

Outcome = Literal["completed", "failed", "unknown"]

_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "host",
        "idempotency-key",
        "interlock-fence",
        "transfer-encoding",
    }
)
_UNCERTAIN = frozenset({502, 504})
"""What a gateway says when it does not know what became of the request behind it."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")


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
    """Of what was read of the answer, secrets replaced."""
    truncated_bytes: int
    """Above zero when the answer was longer than the limit; the rest was not read."""
    started_at: int
    ended_at: int
    """Microseconds since 1970."""


async def call(
    rendered: HttpCall,
    spec: HttpSpec,
    *,
    stop: Stop,
    deadline: Deadline | None = None,
    marks: RunMarks | None = None,
    redact: Iterable[str] = (),
    output_limit: int = OUTPUT_LIMIT,
    clock: Clock | None = None,
    lookup: Lookup = look_up,
    ssl_context: ssl.SSLContext | None = None,
    on_output: Callable[[str], None] | None = None,
) -> HttpExit:
    """`rendered` was asked once, within the bounds of `spec`, and the answer says what is known.

    `marks` are given for an apply or a rollback: the run's id goes out as Idempotency-Key and its token as
    Interlock-Fence. A preview or a validation sends neither. `redact` are the secrets that rendering put in.
    `on_output` is called with the answer's text as it comes; it must not block.
    Every Refusal (`bad_url`, `bad_header`, `private_address`, `stopped`, `lease_lost`) means that nothing was sent.
    """
    clock, deadline = clock or SystemClock(), deadline or Deadline()
    if stop.is_set():
        raise Conflict("stopped", "the run was stopped before its call was sent")
    if deadline.at is not None and time.monotonic() >= deadline.at:
        raise Conflict("lease_lost", "the run's lease ended before its call was sent")
    exchange = _Exchange(Capture(limit=output_limit, secrets=redact, show=on_output), output_limit)
    async with safe_client(allow_private=spec.allow_private, lookup=lookup, ssl_context=ssl_context) as client:
        request = _request(client, rendered, marks)
        request.extensions["trace"] = exchange.note
        started_at = clock.wall_us()
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

    def __init__(self, capture: Capture, limit: int) -> None:
        self.capture = capture
        self.sent = False
        self.status_code: int | None = None
        self._limit = limit

    async def note(self, event: str, _: Any) -> None:
        """Whether the first byte was about to leave is known; httpcore reports each of its steps here."""
        self.sent = self.sent or event.endswith("send_request_headers.started")

    async def carry_out(self, client: httpx.AsyncClient, request: httpx.Request) -> None:
        """The answer was read to its end or past the limit."""
        answer = await client.send(request, stream=True)
        self.status_code = answer.status_code
        read = 0
        async with aclosing(answer):
            async for part in answer.aiter_raw():
                self.capture.feed(part)
                read += len(part)
                if read > self._limit:
                    return

    def observed(self) -> tuple[Outcome, str]:
        """What a whole answer says."""
        status = self.status_code or 0
        if 200 <= status < 300:
            return "completed", f"answered {status}"
        if status in _UNCERTAIN:
            return "unknown", f"a gateway answered {status}; what became of the request behind it is not known"
        return "failed", f"answered {status}"

    def cut_short(self, why: str) -> tuple[Outcome, str]:
        """What is known when there is no whole answer."""
        if self.sent:
            return "unknown", f"{why} after the request had been sent"
        return "failed", f"{why} before anything was sent"


async def _bounded(
    exchange: _Exchange,
    client: httpx.AsyncClient,
    request: httpx.Request,
    timeout_seconds: float,
    stop: Stop,
    deadline: Deadline,
) -> tuple[Outcome, str]:
    """The exchange is over: answered, broken, or given up at the timeout, at stop, or when the lease was lost."""
    fetch = asyncio.create_task(exchange.carry_out(client, request))
    stopped: asyncio.Task[Any] = asyncio.create_task(stop.wait())
    moved: asyncio.Task[Any] = asyncio.create_task(deadline.moved())
    timeout_at = time.monotonic() + timeout_seconds
    try:
        while True:
            lease_at = float("inf") if deadline.at is None else deadline.at
            left = max(0.0, min(timeout_at, lease_at) - time.monotonic())
            await asyncio.wait({fetch, stopped, moved}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if fetch.done():
                return _judged(exchange, fetch)
            if stopped.done():
                return exchange.cut_short("the run was stopped")
            if moved.done():
                moved = asyncio.create_task(deadline.moved())
            elif time.monotonic() >= lease_at:
                return exchange.cut_short("the run lost its lease")
            elif time.monotonic() >= timeout_at:
                return exchange.cut_short("the time was up")
    finally:
        for task in (fetch, stopped, moved):
            task.cancel()
        await asyncio.gather(fetch, stopped, moved, return_exceptions=True)


def _judged(exchange: _Exchange, fetch: asyncio.Task[None]) -> tuple[Outcome, str]:
    error = fetch.exception()
    if error is None:
        return exchange.observed()
    if isinstance(error, httpx.TransportError):
        return exchange.cut_short(f"the connection failed ({type(error).__name__})")
    raise error


def _request(client: httpx.AsyncClient, rendered: HttpCall, marks: RunMarks | None) -> httpx.Request:
    headers = {"accept-encoding": "identity", "user-agent": "interlock"}
    for name, value in rendered.headers.items():
        if not _NAME.fullmatch(name) or name.lower() in _OURS or not _VALUE.fullmatch(value):
            raise Invalid(
                "bad_header", f"the header {name!r} may not be sent, or its value has characters it cannot have"
            )
        headers[name.lower()] = value
    if marks:
        headers |= {"idempotency-key": marks.run, "interlock-fence": str(marks.fence)}
    content = None
    if isinstance(rendered.body, str):
        content = rendered.body.encode()
    elif rendered.body is not None:
        content = json.dumps(rendered.body, ensure_ascii=False).encode()
        headers.setdefault("content-type", "application/json")
    return client.build_request(rendered.method, _url(rendered.url), headers=headers, content=content, timeout=None)


def _url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise Invalid("bad_url", "the URL of the call cannot be read") from None
    if url.scheme not in ("http", "https") or url.userinfo or not _HOST.fullmatch(url.raw_host.decode()):
        raise Invalid("bad_url", "a call goes to http:// or https:// and a host, without a user name in the URL")
    return url
