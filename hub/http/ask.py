"""One request of a proven caller: what an endpoint gets, and what it does with it."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from commands.verb import Call
from core.errors import Invalid, Refusal, TooFast
from core.once import Once, keep, recall
from core.people.directory import Principal
from core.store.encoding import dump, load
from core.store.tx import Tx
from core.world import World
from hub.contracts import Caller, Command, Reply
from hub.http.hub import Hub

_KEY_CHARACTERS = 255
_IN_SCOPE = "interlock.ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Who asks, by which request, of which hub."""

    hub: Hub
    request: Request
    caller: Caller
    call: Call
    raw: bytes
    """The body as received; empty for none."""
    body: Any
    """The body as JSON; None for none."""

    @property
    def world(self) -> World:
        """The configuration under which the request was admitted."""
        return self.call.world

    @property
    def principal(self) -> Principal:
        """Who asks."""
        return self.call.principal

    def once(self, part: str = "") -> Once | None:
        """The once-key of the Idempotency-Key header; `part` tells the items of a batch apart.

        Raises Invalid (`bad_idempotency_key`).
        """
        key = self.request.headers.get("idempotency-key")
        if key is None:
            return None
        if not 0 < len(key) <= _KEY_CHARACTERS or not (key.isascii() and key.isprintable()):
            raise Invalid("bad_idempotency_key", f"an Idempotency-Key is 1 to {_KEY_CHARACTERS} printable characters")
        return Once(scope="http", sender=self.principal.id, key=key + part, body_hash=self.body_hash())

    def body_hash(self) -> bytes:
        """What makes a repeated request the same one: method, path and body."""
        head = f"{self.request.method} {self.request.scope['path']}\n".encode()
        return hashlib.sha256(head + self.raw).digest()

    async def act(self, verb: str, args: Mapping[str, Any], *, part: str = "") -> Reply:
        """The reply of one command, once under the request's Idempotency-Key. Raises the Refusal."""
        try:
            return await self.hub.act(self.call, Command(verb=verb, args=args), once=self.once(part))
        except Refusal as refusal:
            first = getattr(refusal, "reply", None)  # accepted the first time: that answer stands
            if isinstance(first, Reply):
                return first
            raise

    async def kept(
        self,
        make: Callable[[], Awaitable[dict[str, Any]]],
        final: Callable[[dict[str, Any]], bool] = lambda made: True,
    ) -> dict[str, Any]:
        """What `make` gives; under the request's Idempotency-Key what it gave the first time.

        Refusals, and what is not `final`, are not kept.
        """
        once = self.once()
        if once is None:
            return await make()
        first = await self.hub.db.write(recall, once)
        if first is None:
            made = await make()
            if not final(made):
                return made
            first = await self.hub.db.write(_keep_first, once, dump(made))
        value: dict[str, Any] = load(first)
        return value

    async def refuse(self, refusal: Refusal) -> Refusal:
        """The refusal, recorded as every refusal of a proven sender is."""
        await record_refusal(self.hub, self.call, self.what, refusal)
        return refusal

    @property
    def what(self) -> str:
        """The request in a few words that hold nothing a sender wrote: method and route."""
        route = self.request.scope.get("route")
        return f"{self.request.method} {getattr(route, 'path', '')}"


def _keep_first(tx: Tx, once: Once, made: str) -> str:
    """The answer that is kept: `made`, or what a request at the same time was quicker to keep."""
    first = recall(tx, once)
    if first is None:
        keep(tx, once, made)
    return first or made


async def record_refusal(hub: Hub, call: Call, what: str, refusal: Refusal) -> None:
    """The refusal stands in the log. Raises TooFast instead for a caller beyond the limits, who gets no entry."""
    limits = call.world.limits
    wait = hub.limiter.take(call.principal.id, limits.commands_per_second, limits.burst, hub.clock.monotonic())
    if wait:
        raise TooFast("too_fast", "too fast; slow down and try again", retry_after_seconds=wait)
    hub.metrics.refused(refusal.code, call.channel)
    await hub.db.write(_record, call, what, refusal)


def _record(tx: Tx, call: Call, what: str, refusal: Refusal) -> None:
    tx.record(
        "command:refused",
        actor=call.principal.id,
        channel=call.channel,
        details={"verb": what, "code": refusal.code},
        private={"message": refusal.message},
    )


def keep_ask(ask: Ask) -> None:
    """Let the endpoint find its Ask."""
    ask.request.scope[_IN_SCOPE] = ask


async def _ask_of(request: Request) -> Ask:
    ask: Ask = request.scope[_IN_SCOPE]
    return ask


Asked = Annotated[Ask, Depends(_ask_of)]
"""The Ask of a FastAPI endpoint."""


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(value, default=str), status, dict(headers or {}), media_type="application/json")
