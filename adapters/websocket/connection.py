"""One WebSocket connection: reads frames, hands commands to the hub, and writes what comes back.

Nothing that a client does makes memory grow. Commands under way are counted until their answers are written, and
no more frames are read above the bound; entries of the log and what runs print are read only as fast as they are
written; of cards only the latest of each approval waits. A client that does not read is closed with 1013.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from adapters.websocket import parse, render
from adapters.websocket.parse import (
    BadFrame,
    CommandFrame,
    PressFrame,
    ShowFrame,
    SubscribeFrame,
    UnwatchFrame,
    WatchFrame,
)
from core.errors import Refusal, StoreError, Unavailable
from hub.contracts import Caller, Card, Hub, Inbound, Post, Reply, Sender

logger = logging.getLogger("interlock.websocket")

AT_ONCE = 64
"""Commands of one connection under way."""

WAITING_FRAMES = 256
"""Frames that wait to be written before the log is read on."""

MOST_CARDS = 1_000

MOST_WATCHED = 32
"""Runs whose output one connection watches; of each one stretch waits."""

OUTPUT_PAUSE_SECONDS = 0.05
"""What is printed so soon after a stretch was written waits to be one with what follows."""

SLOW_SECONDS = 20.0
"""How long one frame may take to be written."""

_GOING_AWAY, _POLICY, _FAILED, _AGAIN_LATER = 1001, 1008, 1011, 1013


class Connection:
    """One accepted connection of a proved caller."""

    def __init__(self, socket: WebSocket, caller: Caller, hub: Hub, channel: str) -> None:
        self.caller = caller
        self._socket = socket
        self._hub = hub
        self._channel = channel
        self._out: deque[tuple[str, Callable[[], object] | None]] = deque()
        self._cards: dict[str, tuple[str, int]] = {}
        self._held: dict[str, tuple[str, int]] | None = None
        self._has_work = asyncio.Event()
        self._has_room = asyncio.Event()
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._following: list[asyncio.Task[None]] = []
        self._watching: dict[str, asyncio.Task[None]] = {}
        self._end: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._writing_since: float | None = None
        self._noted: set[tuple[str, int]] = set()
        self.wants_cards = False

    async def serve(self) -> None:
        """Serve the client until one side ends it."""
        work = (asyncio.create_task(self._read()), asyncio.create_task(self._write()))
        ends: set[asyncio.Future[Any]] = {*work, self._end}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.wants_cards = False
            for task in (*work, *self._tasks):
                task.cancel()
            await asyncio.gather(*work, *self._tasks, return_exceptions=True)
        code, reason = self._end.result() if self._end.done() else (_GOING_AWAY, "")
        if self._socket.application_state is not WebSocketState.DISCONNECTED:
            try:
                async with asyncio.timeout(1.0):
                    await self._socket.close(code, reason)
            except (RuntimeError, WebSocketDisconnect, TimeoutError):
                return

    def end(self, code: int, reason: str) -> None:
        """Close the connection soon, whatever waits."""
        if not self._end.done():
            self._end.set_result((code, reason))

    def look(self, now: float) -> None:
        """End it when its proof no longer stands, or when its client does not read."""
        if not self._hub.valid(self.caller):
            self.end(_POLICY, "signed out")
        elif self._writing_since is not None and now - self._writing_since > SLOW_SECONDS:
            self.end(_AGAIN_LATER, "too slow")

    # What goes out

    def _put(self, frame: str, written: Callable[[], object] | None = None) -> None:
        self._out.append((frame, written))
        self._has_work.set()

    def tell(self, text: str) -> None:
        """Show the caller something that is no card; lost when too much waits already."""
        if len(self._out) < WAITING_FRAMES:
            self._put(render.notice_frame(text))

    def picture(self, post: Post, frame: str) -> None:
        """Show the present state of an approval, drawn as `frame`, if the caller follows cards and may see it."""
        if not self.wants_cards or (post.audience is not None and self.caller.principal not in post.audience):
            return
        self._put_card(post.card, frame, int(post.approval["revision"]))

    def _put_card(self, card: Card, frame: str, revision: int) -> None:
        waiting = self._cards if self._held is None else self._held
        waiting.pop(card.approval, None)
        waiting[card.approval] = (frame, revision)
        if len(waiting) > MOST_CARDS:
            self.end(_AGAIN_LATER, "too slow")
        self._has_work.set()

    async def _write(self) -> None:
        while True:
            if self._out:
                frame, written = self._out.popleft()
                await self._send(frame)
                if written is not None:
                    written()
            elif self._cards:
                approval = next(iter(self._cards))
                frame, revision = self._cards.pop(approval)
                await self._send(frame)
                self._showed(approval, revision)
            else:
                self._has_work.clear()
                await self._has_work.wait()

    async def _send(self, frame: str) -> None:
        self._writing_since = asyncio.get_running_loop().time()
        await self._socket.send({"type": "websocket.send", "text": frame})
        self._writing_since = None
        self._has_room.set()

    async def _room(self, has: Callable[[], bool]) -> None:
        while not has():
            self._has_room.clear()
            await self._has_room.wait()

    def _showed(self, approval: str, revision: int) -> None:
        if (approval, revision) not in self._noted:
            if len(self._noted) > MOST_CARDS:
                self._noted.clear()
            self._noted.add((approval, revision))
            self._hub.showed(approval, revision, (self.caller.principal,))

    # What comes in

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if not self._hub.valid(self.caller):
                told = render.error_frame("signed_out", "you are no longer signed in")
                self._put(told, lambda: self.end(_POLICY, "signed out"))
                await asyncio.shield(self._end)
                return
            text = message.get("text")
            if text is None:
                self._put(render.error_frame("bad_frame", "frames are text"))
            else:
                self._take(text)
            await self._room(lambda: self._under_way < AT_ONCE and len(self._out) < WAITING_FRAMES)

    def _take(self, text: str) -> None:
        try:
            frame = parse.frame_of(text)
        except BadFrame as bad:
            self._put(render.error_frame(bad.code, bad.message, bad.id))
            return
        except Refusal as refusal:
            self._put(render.error_frame(refusal.code, refusal.message))
            return
        if isinstance(frame, CommandFrame | PressFrame):
            self._under_way += 1
            self._start(self._handle(frame))
        elif isinstance(frame, ShowFrame):
            self._under_way += 1
            self._start(self._show(frame))
        elif isinstance(frame, SubscribeFrame):
            self._subscribe(frame)
        elif isinstance(frame, WatchFrame):
            self._watch(frame)
        elif isinstance(frame, UnwatchFrame):
            self._unwatch(frame.run)
        else:
            self._put(render.PONG)

    def _subscribe(self, wish: SubscribeFrame) -> None:
        """Follow the log and cards as `wish` says, in place of what was followed."""
        for task in self._following:
            task.cancel()
        self.wants_cards = wish.cards != "none"
        self._held = {} if wish.cards == "open" else None
        self._following = [self._start(self._follow(wish))]
        if wish.cards == "open":
            self._following.append(self._start(self._show_open()))

    def _watch(self, wish: WatchFrame) -> None:
        """Write what a run prints, in place of where it was followed before."""
        self._unwatch(wish.run)
        if len(self._watching) >= MOST_WATCHED:
            self._put(
                render.error_frame("too_many_watched", f"at most {MOST_WATCHED} runs are watched at once", wish.id)
            )
            return
        task = self._watching[wish.run] = self._start(self._follow_output(wish))
        task.add_done_callback(lambda task: self._watched(wish.run, task))

    def _unwatch(self, run: str) -> None:
        task = self._watching.pop(run, None)
        if task is not None:
            task.cancel()

    def _watched(self, run: str, task: asyncio.Task[None]) -> None:
        if self._watching.get(run) is task:
            del self._watching[run]

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a task of a connection failed", exc_info=error)
            self.end(_FAILED, "the hub failed")

    async def _handle(self, frame: CommandFrame | PressFrame) -> None:
        """Hand one command or press to the hub; its answer counts as under way until it is written."""
        inbound = Inbound(
            channel=self._channel,
            sender=Sender(principal=self.caller.principal),
            assurance=self.caller.assurance,
            may_decide=self.caller.may_decide,
            evidence=self.caller.evidence,
            said_at_us=self._hub.clock.wall_us(),
            message_id=frame.key if isinstance(frame, CommandFrame) else None,
            body_hash=frame.body_hash if isinstance(frame, CommandFrame) else b"",
            text=frame.text if isinstance(frame, CommandFrame) else None,
            press=frame.token if isinstance(frame, PressFrame) else None,
            comment=frame.comment if isinstance(frame, PressFrame) else None,
            confirm=frame.confirm if isinstance(frame, PressFrame) else None,
        )
        try:
            reply = await self._hub.handle(inbound)
        except StoreError:
            reply = Reply(ok=False, code="store_failed", text="the hub's database failed; nothing was done")
        self._put(render.reply_frame(frame.id, reply), lambda: self._answered(reply))

    async def _show(self, frame: ShowFrame) -> None:
        """Answer with the present picture of one approval; looking leaves no entry in the log."""
        try:
            reply = await self._hub.card(self.caller, frame.approval)
        except StoreError:
            reply = Reply(ok=False, code="store_failed", text="the hub's database failed")
        self._put(render.reply_frame(frame.id, reply), lambda: self._answered(reply))

    def _answered(self, reply: Reply) -> None:
        self._under_way -= 1
        self._has_room.set()
        if reply.card is not None and reply.approval is not None:
            self._showed(reply.card.approval, int(reply.approval["revision"]))

    async def _follow(self, wish: SubscribeFrame) -> None:
        """Write the log's entries as fast as the client reads them."""
        try:
            async for news in self._hub.follow(self.caller, after=wish.after, events=wish.events):
                await self._room(lambda: len(self._out) < WAITING_FRAMES)
                self._put(render.event_frame(news))
        except Unavailable as refusal:
            self._put(render.error_frame(refusal.code, refusal.message))
            self.end(_AGAIN_LATER, "too slow")
        except Refusal as refusal:
            self._put(render.error_frame(refusal.code, refusal.message))

    async def _follow_output(self, wish: WatchFrame) -> None:
        """Write what the run prints as fast as the client reads it; a stretch waits until the one before is written."""
        written = asyncio.Event()
        try:
            async with aclosing(self._hub.watch(self.caller, wish.run, wish.offset)) as outputs:
                async for output in outputs:
                    written.clear()
                    self._put(render.output_frame(output), written.set)
                    await written.wait()
                    await asyncio.sleep(OUTPUT_PAUSE_SECONDS)
        except Refusal as refusal:
            self._put(render.error_frame(refusal.code, refusal.message, wish.id))
        except StoreError:
            self._put(render.error_frame("store_failed", "the hub's database failed", wish.id))

    async def _show_open(self) -> None:
        """Every open approval is shown once; what changes meanwhile comes after."""
        replies = await self._hub.cards(self.caller)
        held, self._held = self._held or {}, None
        for reply in replies:
            if reply.card is not None and reply.approval is not None and reply.card.approval not in held:
                frame = render.card_frame(reply.card, reply.approval)
                self._put_card(reply.card, frame, int(reply.approval["revision"]))
        self._cards.update(held)
        self._has_work.set()
