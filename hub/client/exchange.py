"""What has to happen between a program and its hub, written once for both clients.

A flow is a generator: it yields what to send or how long to pause, gets the answer back, and returns its result. It
does no input or output itself; `drive` carries it out with a blocking client, `adrive` with an asynchronous one.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import httpx

from hub.client.errors import Deadlock, Held, InterlockError, Refused, Unreachable

T = TypeVar("T")

ANSWER_SECONDS = 10.0
"""How long the hub may take for an answer, beyond what it was asked to wait."""
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
AGAIN = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may be sent again: the hub did nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One request. `once` is the Idempotency-Key under which a repeated one acts once."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str | float] = field(default_factory=dict)
    once: str | None = None
    waits: float = 0.0
    """Seconds that the hub was asked to wait before it answers."""
    patience: float = ANSWER_SECONDS
    """Seconds that the answer may take beyond that."""

    def within(self, seconds: float) -> Send:
        """The same, with at most so many seconds for the answer."""
        return replace(self, patience=min(self.patience, seconds))

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """As the client of httpx sends it."""
        headers = {"idempotency-key": self.once} if self.once else {}
        timeout = httpx.Timeout(self.patience, read=self.patience + self.waits)
        return http.build_request(
            self.method,
            self.path,
            json=dict(self.body) if self.body is not None else None,
            params=dict(self.query) or None,
            headers=headers,
            timeout=timeout,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Nothing for so long."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    body: Any
    retry_after: float | None = None


Flow = Generator[Send | Pause, Answer | None, T]


def drive(flow: Flow[T], http: httpx.Client) -> T:
    """The flow's result, with a client that blocks."""
    given: Answer | None = None
    failed: Unreachable | None = None
    while True:
        try:
            effect = flow.throw(failed) if failed is not None else flow.send(given)
        except StopIteration as end:
            result: T = end.value
            return result
        given = failed = None
        if isinstance(effect, Pause):
            time.sleep(effect.seconds)
            continue
        try:
            given = _answer(http.send(effect.request(http)))
        except (httpx.RequestError, httpx.InvalidURL) as error:
            failed = _nobody(http.base_url, error)


async def adrive(flow: Flow[T], http: httpx.AsyncClient) -> T:
    """The flow's result, without blocking."""
    given: Answer | None = None
    failed: Unreachable | None = None
    while True:
        try:
            effect = flow.throw(failed) if failed is not None else flow.send(given)
        except StopIteration as end:
            result: T = end.value
            return result
        given = failed = None
        if isinstance(effect, Pause):
            await asyncio.sleep(effect.seconds)
            continue
        try:
            given = _answer(await http.send(effect.request(http)))
        except (httpx.RequestError, httpx.InvalidURL) as error:
            failed = _nobody(http.base_url, error)


def send(effect: Send) -> Flow[Answer]:
    """The accepted answer to one request, sent once. Raises Unreachable, Refused."""
    answer = yield effect
    assert answer is not None
    return accepted(answer)


def insist(effect: Send, patience: float) -> Flow[Answer]:
    """The accepted answer to a request that is sent again until the hub answers.

    Raises Refused, and Unreachable once nobody answered for `patience` seconds.
    """
    gone_at: float | None = None
    pause = _FIRST_PAUSE_SECONDS
    while True:
        began = time.monotonic()
        problem: InterlockError
        retry_after = None
        try:
            answer = yield effect
            assert answer is not None
            if answer.status not in AGAIN:
                return accepted(answer)
            problem, retry_after = refusal_of(answer), answer.retry_after
        except Unreachable as error:
            problem = error
        gone_at = began if gone_at is None else gone_at
        wait = max(retry_after or 0.0, pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, keeps no secret
        if time.monotonic() + wait - gone_at > patience:
            raise problem
        yield Pause(seconds=wait)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def accepted(answer: Answer) -> Answer:
    """The answer, when it is one. Raises Refused."""
    if 200 <= answer.status < 300 and isinstance(answer.body, Mapping):
        return answer
    raise refusal_of(answer)


def refusal_of(answer: Answer) -> Refused:
    """What a problem document says."""
    body = answer.body if isinstance(answer.body, Mapping) else {}
    code = str(body.get("code") or ("bad_answer" if answer.status < 300 else f"http_{answer.status}"))
    message = str(body.get("detail") or body.get("text") or f"what answers there is no hub (HTTP {answer.status})")
    kind = {"held": Held, "deadlock": Deadlock}.get(code, Refused)
    return kind(answer.status, code, message, body)


def new_key() -> str:
    """A key that no other request has."""
    return secrets.token_hex(16)


def _answer(response: httpx.Response) -> Answer:
    body: Any = None
    if "json" in response.headers.get("content-type", ""):
        try:
            body = response.json()
        except ValueError:
            body = None
    after = response.headers.get("retry-after", "")
    return Answer(status=response.status_code, body=body, retry_after=float(after) if after.isdigit() else None)


def _nobody(url: httpx.URL, error: Exception) -> Unreachable:
    """The words for what went wrong on the way; a request's headers are in none of them."""
    why = str(error) or type(error).__name__
    return Unreachable("unreachable", f"no hub answers at {url.scheme}://{url.netloc.decode()} ({why})")
