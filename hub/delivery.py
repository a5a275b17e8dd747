"""Delivery: every copy of a card shows the latest state of its approval, sooner or later.

`plan` runs in the transaction of whatever changed an approval, so a copy that shall be made cannot be forgotten. A
loop carries the copies out: claim, draw, post or update, settle; what fails is tried again with backoff, and given up
visibly. Copies are views (P8): nothing here decides anything. Delivery is at least once, and in order for each place
but for what is being retried. A wake-up is a hint; the poll finds whatever a hint missed.
"""

from __future__ import annotations

import asyncio
import logging
import random
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from hmac import digest as hmac_digest
from typing import Any

from sqlalchemy import bindparam, select

from core.approvals import press
from core.approvals.approval import Approval, find
from core.approvals.delegation import away, proxies
from core.approvals.rollback import offered
from core.approvals.rule import ballot_of
from core.approvals.shown import note_shown
from core.approvals.states import ENDED, State
from core.approvals.view import principal_json, view_of
from core.audit.log import Committed
from core.clock import SECOND, Clock
from core.store import schema
from core.store.database import Database
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World
from hub import outbox, receiving, reminding
from hub.asking import asked_for, targets
from hub.board import Board, audience_of
from hub.breaker import Breaker, backoff
from hub.cards import asked_for_others, live_choices
from hub.contracts import Adapter, DeliveryFailed, Digesting, Live, Post, Reminder, Reminding
from hub.opening import OPEN
from hub.outbox import Copy
from hub.reminding import reminder_of
from hub.wording import name_of

logger = logging.getLogger("interlock.delivery")

POLL_SECONDS = 1.0
POST_SECONDS = 30.0
"""How long a channel may take for one post; well below the time after which a claim lapses."""
AT_ONCE = 8
"""Posts under way to one channel."""

_PRESS_SECONDS = 30 * 86_400
"""How long a token is remembered; the approval's own deadlines say until when it may be pressed."""

_LOG = schema.log
_LATEST = Statement(
    select(_LOG.c.event).where(_LOG.c.subject == bindparam("subject")).order_by(_LOG.c.seq.desc()).limit(50)
)
_TOLD = ("approval:", "apply:", "rollback:")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """What one attempt shall show."""

    post: Post
    state: State
    revision: int

    @property
    def final(self) -> bool:
        return self.state in ENDED


class Delivery:
    """The outbox at work. `plan` runs on the writer's thread, everything else on the event loop's."""

    def __init__(
        self,
        *,
        db: Database,
        world: Callable[[], World],
        adapters: Callable[[], Mapping[str, Adapter]],
        public_url: Callable[[], str],
        clock: Clock,
        key: bytes,
        draw: Callable[[], float] = random.random,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.board = Board(db=db, world=world, adapters=adapters, public_url=public_url, clock=clock, key=key)
        self._db = db
        self._world = world
        self._adapters = adapters
        self._clock = clock
        self._key = key
        self._draw = draw
        self._poll_seconds = poll_seconds
        self._breakers: dict[str, Breaker] = {}
        self._busy: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._woken = asyncio.Event()

    def plan(self, tx: Tx, world: World, approval: Approval) -> None:
        """In this transaction: every copy of `approval` shall show what it is now, and whom it asks is asked."""
        if approval.state is State.SUBMITTED and not approval.glass:
            return
        self._mint(tx, approval, press.PAGE)
        adapters = {name: each for name, each in self._adapters().items() if not isinstance(each, Live)}
        if not adapters:
            return
        found = targets(
            world,
            approval,
            adapters,
            self.works,
            receiving.suppressed(tx),
            away=away(tx),
            proxies=proxies(tx, approval.action),
        )
        outbox.want(tx, approval, found)
        tx.after_commit(self._woken.set)

    def works(self, channel: str) -> bool:
        """Whether nothing speaks against using the channel now."""
        breaker = self._breakers.get(channel)
        return breaker is None or breaker.works(self._clock.monotonic())

    def notice(self, entries: Iterable[Committed]) -> None:
        """Take note of a commit: those who look are shown what changed."""
        self.board.notice(entries)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Deliver inside this context; at its end posts under way may finish."""
        if self._db.dialect == "sqlite":
            await self._db.write(outbox.resume)
        tasks = [asyncio.create_task(self._work()), asyncio.create_task(self.board.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._busy:
                await asyncio.wait(list(self._busy.values()), timeout=5.0)
            for post in self._busy.values():
                post.cancel()

    async def _work(self) -> None:
        while True:
            self._woken.clear()
            try:
                for copy in await self._db.read(outbox.due):
                    self._begin(copy)
            except Exception:
                logger.exception("the outbox could not be read")
            with suppress(TimeoutError):  # not wait_for, which can lose a cancellation before Python 3.12
                async with asyncio.timeout(self._poll_seconds):
                    await self._woken.wait()

    def _begin(self, copy: Copy) -> None:
        """Start an attempt unless its place or its channel is busy, or the channel is to be left alone."""
        if copy.place in self._busy or sum(channel == copy.channel for channel, _ in self._busy) >= AT_ONCE:
            return
        period = self._digest_us(copy)
        if period and copy.due_at % period:
            work = self._defer(copy, (copy.due_at // period + 1) * period)
        else:
            breaker = self._breakers.setdefault(copy.channel, Breaker())
            if not breaker.admit(self._clock.monotonic()):
                return
            work = self._attempt_digest(copy, breaker) if period else self._attempt(copy, breaker)
        task = asyncio.create_task(work)
        self._busy[copy.place] = task
        task.add_done_callback(lambda done: self._ended(copy, done))

    def _ended(self, copy: Copy, task: asyncio.Task[None]) -> None:
        del self._busy[copy.place]
        self._woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("delivery %s could not be settled", copy.id, exc_info=error)

    def _digest_us(self, copy: Copy) -> int:
        """How often the copy's reader wants messages on a channel that can put them together; 0 for at once."""
        person = self._world().people.find(copy.recipient) if copy.recipient else None
        if person is None or not isinstance(self._adapters().get(copy.channel), Digesting):
            return 0
        return int(person.digest_seconds * SECOND)

    async def _defer(self, copy: Copy, due_at: int) -> None:
        await self._db.write(outbox.defer, copy, due_at)

    async def _attempt_digest(self, first: Copy, breaker: Breaker) -> None:
        """One message with everything that is due for that reader now."""
        adapter = self._adapters()[first.channel]
        assert isinstance(adapter, Digesting)
        try:
            due = [each for each in await self._db.read(outbox.due) if each.place == first.place]
            drawn = [(copy, found) for copy in due if (found := await self._claim(copy)) is not None]
            try:
                async with asyncio.timeout(POST_SECONDS):
                    references = await adapter.post_digest([found.post for _, found in drawn])
            except Exception as error:
                for copy, _ in drawn:
                    await self._failed(copy, error, breaker)
                return
            breaker.succeeded()
            for (copy, found), reference in zip(drawn, references, strict=True):
                await self._db.write(_settle, copy, found, reference)
        finally:
            breaker.given_up()

    async def _attempt(self, copy: Copy, breaker: Breaker) -> None:
        """One attempt from claim to settlement; what the channel answers is told to its breaker."""
        try:
            adapter = self._adapters().get(copy.channel)
            if adapter is None:
                await self._fail(copy, DeliveryFailed(f"channel {copy.channel} is not configured", permanent=True))
            elif (drawn := await self._claim(copy)) is not None:
                await self._carry(adapter, copy, drawn, breaker)
        finally:
            breaker.given_up()

    async def _claim(self, copy: Copy) -> _Drawn | None:
        """What the copy shall show; None when another attempt is under way."""
        world = self._world()
        tokens = await self._db.write(self._take, copy)
        if tokens is None:
            return None
        approval, event, audience, absent, reminder = await self._db.read(_now, world, copy)
        fits = tokens.get("digest") == approval["digest"]  # else it has just changed, and there will be another version
        post = Post(
            address=copy.address,
            card=asked_for_others(
                self.board.draw(approval, {k: v for k, v in tokens.items() if k != "digest"} if fits else {}), absent
            ),
            event=event,
            approval=approval,
            recipient=copy.recipient,
            key=self._message_id(copy),
            audience=audience,
            token=tokens.get(OPEN),
            reminder=reminder,
        )
        return _Drawn(post=post, state=State(approval["state"]), revision=approval["revision"])

    def _take(self, tx: Tx, copy: Copy) -> dict[str, str] | None:
        if not outbox.claim(tx, copy):
            return None
        approval = find(tx, copy.approval)
        return {**self._mint(tx, approval, copy.id, OPEN), "digest": approval.digest or ""}

    def _mint(self, tx: Tx, approval: Approval, delivery: int, *more: str) -> dict[str, str]:
        if approval.digest is None:
            return {}
        return press.mint(
            tx,
            self._key,
            approval=approval.id,
            revision=approval.revision,
            digest=approval.digest,
            choices=(
                *live_choices(
                    {
                        "state": approval.state,
                        "start": approval.start,
                        "apply_asked_at": approval.apply_asked_at,
                        "rollback": {"offered": offered(approval)},
                    }
                ),
                *more,
            ),
            delivery=delivery,
            expires_at=tx.now_us + _PRESS_SECONDS * SECOND,
        )

    def _message_id(self, copy: Copy) -> str:
        """The same for each attempt at one version of one copy, and for no other, in any hub."""
        text = f"interlock-message\n{copy.id}\n{copy.desired}".encode()
        return urlsafe_b64encode(hmac_digest(self._key, text, "sha256")[:18]).decode()

    async def _carry(self, adapter: Adapter, copy: Copy, drawn: _Drawn, breaker: Breaker) -> None:
        again = copy.reference is not None
        if again and not adapter.powers.edit and not drawn.final:
            await self._db.write(lambda tx: outbox.skip(tx, copy, final=False))
            return
        try:
            async with asyncio.timeout(POST_SECONDS):
                if copy.reference is not None and adapter.powers.edit:
                    reference = await adapter.update(copy.reference, drawn.post)
                else:
                    reference = await adapter.post(drawn.post)
            if copy.reference is not None and isinstance(adapter, Reminding):
                reference = await reminding.carry(self._db, adapter, copy, drawn.post, reference, POST_SECONDS)
        except Exception as error:
            await self._failed(copy, error, breaker)
            return
        breaker.succeeded()
        await self._db.write(_settle, copy, drawn, reference)

    async def _failed(self, copy: Copy, error: Exception, breaker: Breaker) -> None:
        now = self._clock.monotonic()
        failed = _explain(error)
        if failed.only_here:
            pass  # the channel's other addresses go on; `_attempt` tells the breaker that nothing was learnt
        elif failed.throttled:
            breaker.throttled(now, failed.retry_after_seconds or 1.0)
        elif not failed.permanent:
            breaker.failed(now)
        await self._fail(copy, failed)

    async def _fail(self, copy: Copy, failed: DeliveryFailed) -> None:
        wait = max(failed.retry_after_seconds or 0.0, backoff(copy.attempts, self._draw))
        dead = await self._db.write(_give_up, copy, failed, wait)
        logger.warning(
            "delivery %s of A%s to %s %s: %s",
            copy.id,
            copy.approval,
            copy.channel,
            "was given up" if dead else f"failed; next attempt in {wait:.1f} s",
            failed,
        )


def _give_up(tx: Tx, copy: Copy, failed: DeliveryFailed, wait_seconds: float) -> bool:
    """The attempt is recorded as failed; whether the copy is dead."""
    if failed.address_is_dead:
        receiving.suppress(tx, copy.channel, copy.address, str(failed))
    return outbox.fail(
        tx,
        copy,
        error=str(failed),
        permanent=failed.permanent,
        throttled=failed.throttled,
        wait_seconds=wait_seconds,
    )


def _explain(error: Exception) -> DeliveryFailed:
    """The failure as delivery understands it; a bug in an adapter is one that may pass."""
    if isinstance(error, DeliveryFailed):
        return error
    if isinstance(error, TimeoutError):
        return DeliveryFailed(f"the channel did not answer within {POST_SECONDS:.0f} seconds")
    return DeliveryFailed(f"{type(error).__name__}: {error}")


def _settle(tx: Tx, copy: Copy, drawn: _Drawn, reference: str) -> None:
    if copy.reference is None and drawn.post.reminder is not None:
        outbox.note_reminder(tx, copy, drawn.post.reminder.key)
    outbox.settle(tx, copy, reference=reference, event=drawn.post.event, final=drawn.final)
    if copy.recipient is not None and drawn.state is State.REVIEWING:
        note_shown(tx, approval=copy.approval, revision=drawn.revision, person=copy.recipient)


def _now(
    reader: Reader, world: World, copy: Copy
) -> tuple[dict[str, Any], str, frozenset[str] | None, list[str], Reminder | None]:
    """The approval as it is, the event that says so, who may see it, for whom its recipient stands in, and a reminder."""
    approval = find(reader, copy.approval)
    event = "approval:requested"
    if copy.rendered or approval.state is not State.REVIEWING:
        events = [str(row["event"]) for row in reader.all(_LATEST, subject=approval.name)]
        event = next((each for each in events if each.startswith(_TOLD)), event)
    return (
        view_of(reader, world, approval),
        event,
        audience_of(world, approval),
        _absent(reader, world, approval, copy),
        reminder_of(reader, world, approval, copy),
    )


def _absent(reader: Reader, world: World, approval: Approval, copy: Copy) -> list[str]:
    ballot = ballot_of(world, approval)
    if ballot is None or copy.recipient is None or approval.state is not State.REVIEWING:
        return []
    absent = asked_for(ballot, copy.recipient, away(reader), proxies(reader, approval.action))
    return [name_of(principal_json(world, each)) for each in absent]
