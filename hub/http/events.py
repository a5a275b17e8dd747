"""`/v1/events`: the log as a list, and as a stream of server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing, suppress
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core import ids
from core.approvals.approval import find
from core.approvals.seeing import may_see
from core.audit.events import EVENTS
from core.errors import Forbidden, Invalid, Refusal
from core.store.rows import Reader
from core.text import show
from hub.contracts import News
from hub.feed import PAGE, read_after
from hub.http.ask import Ask, Asked, answer
from hub.http.guard import Guarded
from hub.http.permissions import needs, right
from hub.news import eyes_of, follow, show_all
from hub.summary import summary

HEARTBEAT_SECONDS = 15.0
SEND_SECONDS = 20.0
"""A reader that takes nothing for so long is dropped."""
_PAGES = 20
"""Pages of the log that one request looks through for the events it asks for."""

_STRETCH = 1_000
"""Entries that one summary looks at."""

router = APIRouter(prefix="/v1/events", route_class=Guarded, tags=["events"])

Seq = Annotated[int | None, Query(ge=0, lt=2**63, description="The seq after which to begin.")]
Names = Annotated[list[str] | None, Query(description="Event names; repeated or separated by commas. None: all.")]


@router.get("")
@needs(right("read"))
async def list_events(
    ask: Asked,
    after: Seq = None,
    event: Names = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=20, pattern=r"^[0-9]+$")] = None,
) -> Response:
    """Entries after a seq, in order, as you may see them."""
    wanted = _wanted(event)
    at = int(cursor) if cursor is not None else after or 0
    eyes = eyes_of(ask.world, ask.caller)
    found: list[News] = []
    more = False
    for _ in range(_PAGES):
        entries = await ask.hub.db.read(read_after, at, PAGE)
        more = len(entries) == PAGE
        fitting = [entry for entry in entries if wanted is None or entry.event in wanted]
        room = limit - len(found)
        found += await show_all(ask.hub.db, eyes, fitting[:room])
        at = entries[-1].seq if entries else at
        if len(fitting) > room:
            at, more = found[-1].seq, True
        if len(found) == limit or not more:
            break
    return answer({"items": [event_json(each) for each in found], "next": str(at) if more else None})


@router.get("/summary")
@needs(right("read"))
async def summarise_events(
    ask: Asked,
    after: Annotated[int, Query(ge=0, lt=2**63, description="The seq after which it begins.")],
    until: Annotated[int, Query(ge=1, lt=2**63, description="The last seq; at most 1,000 after the first.")],
    event: Names = None,
    actor: Annotated[str | None, Query(max_length=64)] = None,
    subject: Annotated[str | None, Query(max_length=32)] = None,
) -> Response:
    """A stretch of the log in plain words, as you may see it."""
    wanted = _wanted(event)
    if until - after > _STRETCH:
        raise Invalid("too_long", f"at most {_STRETCH:,} entries are told at once")
    eyes = eyes_of(ask.world, ask.caller)
    entries = await ask.hub.db.read(read_after, after, max(0, until - after))
    fitting = [
        each
        for each in entries
        if (wanted is None or each.event in wanted) and actor in (None, each.actor) and subject in (None, each.subject)
    ]
    news = await show_all(ask.hub.db, eyes, fitting)
    titles = await ask.hub.db.read(_titles, ask, {each.subject for each in news if each.subject and each.details})
    return answer({"text": summary(news, title=titles.get, name=lambda id: _name(ask, id)), "count": len(news)})


def _titles(reader: Reader, ask: Ask, subjects: Collection[str]) -> dict[str, str]:
    """What each request that the caller may see was for."""
    found = {}
    for each in subjects:
        if each.startswith("A"):
            with suppress(Refusal):
                approval = find(reader, ids.parse("A", each))
                if may_see(ask.world, ask.principal, approval):
                    found[each] = approval.title
    return found


def _name(ask: Ask, id: str) -> str:
    known = ask.world.people.find(id)
    return show(id if known is None else known.name)


@router.get("/tail")
@needs(right("read"))
async def tail_events(
    ask: Asked,
    after: Seq = None,
    event: Names = None,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> Response:
    """Entries after Last-Event-ID (or `after`), then each new one as it commits, as server-sent events."""
    wanted = _wanted(event)
    at = after
    if last_event_id:
        if not (last_event_id.isascii() and last_event_id.isdigit()):
            raise Invalid("invalid_request", "Last-Event-ID is the seq of the last entry that you have")
        at = int(last_event_id)
    eyes_of(ask.world, ask.caller)
    return Tail(ask, at, wanted)


def event_json(news: News) -> dict[str, Any]:
    """The event of CONTRACT."""
    return {
        "type": "event",
        "seq": news.seq,
        "ts": news.ts,
        "event": news.event,
        "actor": news.actor,
        "subject": news.subject,
        "channel": news.channel,
        "details": news.details,
    }


class Tail(Response):
    """A stream that ends when its reader goes, is too slow, or is no longer who they were; or when the hub stops."""

    media_type = "text/event-stream"

    def __init__(self, ask: Ask, after: int | None, wanted: frozenset[str] | None) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._ask = ask
        self._after = after
        self._wanted = wanted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        gone = asyncio.ensure_future(_until_gone(receive))
        stream = asyncio.ensure_future(self._stream(send))
        try:
            await asyncio.wait((gone, stream), return_when=asyncio.FIRST_COMPLETED)
            if stream.done():
                stream.result()
        finally:
            for task in (gone, stream):
                task.cancel()
            await asyncio.gather(gone, stream, return_exceptions=True)

    async def _stream(self, send: Send) -> None:
        hub = self._ask.hub
        await _send(send, b": connected\n\n")
        try:
            async with aclosing(
                follow(
                    db=hub.db,
                    feed=hub.feed,
                    world=lambda: hub.world,
                    caller=self._ask.caller,
                    after=self._after,
                    events=self._wanted or (),
                )
            ) as news:
                async for each in _with_heartbeats(news):
                    if not hub.proofs.valid(self._ask.caller):
                        raise Forbidden("session_ended", "sign in again")
                    await _send(send, b": here\n\n" if each is None else _frame(each))
        except Refusal as refusal:
            problem = orjson.dumps({"code": refusal.code, "detail": refusal.message})
            with suppress(TimeoutError):
                await _send(send, b"event: error\ndata: " + problem + b"\n\n")
        except TimeoutError:  # it reads nothing: nothing can be said to it either
            return
        with suppress(TimeoutError):
            await _send(send, b"", more=False)


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": body, "more_body": more})


async def _with_heartbeats(news: AsyncIterator[News]) -> AsyncIterator[News | None]:
    """The news, and None whenever there was none for a while."""
    pending: asyncio.Future[News] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(news))
            done, _ = await asyncio.wait((pending,), timeout=HEARTBEAT_SECONDS)
            if not done:
                yield None
                continue
            try:
                each = pending.result()
            except StopAsyncIteration:
                return
            pending = None
            yield each
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)


def _frame(news: News) -> bytes:
    return b"id: %d\ndata: %s\n\n" % (news.seq, orjson.dumps(event_json(news), default=str))


async def _until_gone(receive: Receive) -> None:
    with suppress(ClientDisconnect, Refusal):
        while (await receive())["type"] != "http.disconnect":
            continue


def _wanted(names: list[str] | None) -> frozenset[str] | None:
    """The events asked for; None for all. Raises Invalid (`unknown_event`) for one that is not in the closed list."""
    wanted = frozenset(name.strip() for each in names or () for name in each.split(",") if name.strip())
    unknown = sorted(wanted - EVENTS)
    if unknown:
        raise Invalid("unknown_event", f"there is no event {unknown[0][:60]!r}")
    return wanted or None
