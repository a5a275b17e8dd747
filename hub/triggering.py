"""Triggers as the log grows: what each matches is asked for once, by whom it acts as, whichever process is first.

An entry is judged outside any transaction, as the log's reader of the trigger's principal would read it. Where the
trigger stands moves in the transaction of what came of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from commands.requesting import VERBS
from commands.verb import Call, Verb
from core import ids
from core.approvals.approval import Approval, find
from core.approvals.seeing import may_see
from core.audit.log import Committed
from core.cause import Cause
from core.clock import from_us
from core.errors import NotFound, Refusal
from core.people.assurance import Assurance
from core.people.directory import Principal
from core.policy.expression import ExpressionFailed
from core.store.database import Database
from core.store.rows import Reader
from core.store.tx import Tx
from core.triggers.depth import depth_of
from core.triggers.matching import NO_APPROVAL, Wanted, wanted
from core.triggers.standing import MOST_DEPTH, Standing, advance, hold_back, settle, standings, take
from core.world import Trigger, World
from hub.contracts import Inbound, Reply
from hub.feed import read_after
from hub.news import Eyes
from hub.pipeline import Answer, Occasion, refused_reply

_TICK_SECONDS = 1.0
_PAGE = 200
_REQUEST: Verb = next(verb for verb in VERBS if verb.name == "request")

Give = Callable[[Call, Verb, Mapping[str, Any], Occasion], Awaitable[Answer]]

logger = logging.getLogger("interlock.triggers")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matched:
    """One occasion of one trigger, as the pipeline takes it. `seq` is None for a message to a hook."""

    trigger: Trigger
    occasion: str
    seq: int | None
    depth: int

    def take(self, tx: Tx) -> bool:
        return take(tx, self.trigger, occasion=self.occasion, seq=self.seq)

    def settle(self, tx: Tx, answer: Answer) -> None:
        approval, code = None, "ok"
        if answer.refusal is not None:
            code = answer.refusal.code
        elif answer.reply is not None:
            code = answer.reply.code or "ok"
            approval = ids.parse("A", answer.reply.approval["id"]) if answer.reply.approval is not None else None
        settle(tx, self.trigger, occasion=self.occasion, depth=self.depth, code=code, approval=approval)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An entry as a trigger's expressions see it, and how many triggers led to it."""

    variables: Mapping[str, Any]
    depth: int


class Triggering:
    """Judges what happens. It holds nothing that another process could not read from the database."""

    def __init__(self, db: Database, *, give: Give, world: Callable[[], World]) -> None:
        self._db = db
        self._give = give
        self._world = world
        self._woken = asyncio.Event()
        self._turn = asyncio.Lock()
        self._judged: World | None = None
        self._cursor = 0

    def wake(self) -> None:
        """There may be something to judge."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._woken.clear()
            try:
                while await self.serve():
                    pass
            except Exception:
                logger.exception("triggers could not be served; it is tried again")
                await asyncio.sleep(_TICK_SECONDS)
            try:
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def serve(self) -> bool:
        """The next entries are judged; whether there may be more."""
        async with self._turn:
            return await self._serve()

    async def _serve(self) -> bool:
        world = self._world()
        if world is not self._judged:
            self._judged, self._cursor = world, -1
        if not world.triggers:
            return False
        places = await self._db.read(standings)
        active = {name: places[name] for name, each in world.triggers.items() if acts(each, places.get(name))}
        if not active:
            self._cursor = -1
            return False
        if self._cursor < 0:
            self._cursor = min(each.seq for each in active.values())
        entries = await self._db.read(read_after, self._cursor, _PAGE)
        behind: dict[str, int] = {}
        for entry in entries:
            for name, place in active.items():
                if entry.event not in world.triggers[name].on or entry.seq <= max(place.seq, behind.get(name, 0)):
                    continue
                if not await self._judge(world, world.triggers[name], entry):
                    return False  # the configuration is changing: the same entry comes again
                behind[name] = entry.seq
            self._cursor = entry.seq
        if len(entries) == _PAGE:
            behind = dict.fromkeys(active, self._cursor)
        if behind:
            await self._db.write(advance, behind)
        return len(entries) == _PAGE

    async def _judge(self, world: World, trigger: Trigger, entry: Committed) -> bool:
        """Whether the entry is behind the trigger, with whatever came of it."""
        occasion = str(entry.seq)
        try:
            principal = principal_of(world, trigger)
            seen = await self._db.read(see, world, principal, entry)
            ask = wanted(trigger, seen.variables, why=of_entry(trigger, entry))
        except Refusal as refusal:
            why = "error" if isinstance(refusal, ExpressionFailed) else refusal.code
            await self._hold(trigger, why=why, occasion=occasion, seq=entry.seq, message=refusal.message)
            return True
        if ask is None:
            return True
        if seen.depth >= MOST_DEPTH:
            await self._hold(trigger, why="depth", occasion=occasion, seq=entry.seq)
            return True
        matched = _Matched(trigger=trigger, occasion=occasion, seq=entry.seq, depth=seen.depth + 1)
        answer = await self._act(world, principal, ask, matched)
        return answer.refusal is None or answer.refusal.code != "config_changed"

    async def _hold(
        self, trigger: Trigger, *, why: str, occasion: str, seq: int | None, message: str | None = None
    ) -> None:
        def write(tx: Tx) -> None:
            hold_back(tx, trigger, why=why, occasion=occasion, seq=seq, message=message)

        await self._db.write(write)

    async def _act(self, world: World, principal: Principal, ask: Wanted, matched: _Matched) -> Answer:
        call = Call(
            world=world,
            principal=principal,
            channel="trigger",
            assurance=Assurance.CHAT,
            may_decide=False,
            cause=Cause(by=f"trigger:{matched.trigger.name}", depth=matched.depth),
        )
        return await self._give(call, _REQUEST, ask.args, matched)

    async def hooked(self, inbound: Inbound, names: tuple[str, ...], body: Any, headers: Mapping[str, str]) -> Reply:
        """What came of a proved message to a hook whose triggers these are: each acts on a message once."""
        world = self._world()
        message = inbound.message_id or secrets.token_hex(16)
        key = hashlib.sha256(f"{inbound.channel}\n{message}".encode()).hexdigest()[:32]
        said = [
            await self._hook_judged(world, world.triggers[name], f"{inbound.channel}:{key}", body, headers)
            for name in names
        ]
        return Reply(ok=True, text="; ".join(f"{name}: {each}" for name, each in zip(names, said, strict=True)))

    async def _hook_judged(
        self, world: World, trigger: Trigger, occasion: str, body: Any, headers: Mapping[str, str]
    ) -> str:
        """In a few words what came of the message."""
        place = (await self._db.read(standings)).get(trigger.name)
        if not acts(trigger, place):
            return "is switched off"
        variables = {"body": body, "headers": dict(headers), "now": from_us(self._db.now_us())}
        try:
            principal = principal_of(world, trigger)
            ask = wanted(trigger, variables, why=of_message(occasion.rpartition(":")[0]))
        except Refusal as refusal:
            await self._hold(trigger, why="error", occasion=occasion, seq=None, message=refusal.message)
            return refused_reply(refusal).text
        if ask is None:
            return "does not match"
        answer = await self._act(world, principal, ask, _Matched(trigger=trigger, occasion=occasion, seq=None, depth=1))
        if answer.refusal is not None:
            return answer.refusal.message
        return answer.reply.text if answer.reply is not None else "had acted on it, or acts too often"


def acts(trigger: Trigger, place: Standing | None) -> bool:
    """Whether it is switched on, and has its place in the log."""
    return trigger.enabled and place is not None and place.disabled_by is None


def principal_of(world: World, trigger: Trigger) -> Principal:
    """Whom it acts as. Raises NotFound for one who is no longer in the configuration."""
    principal = world.people.find(trigger.principal)
    if principal is None:
        raise NotFound("unknown_principal", f"{trigger.principal} is no longer in the configuration")
    return principal


def of_entry(trigger: Trigger, entry: Committed) -> str:
    """The reason of what it asks for on an entry, where it gives none itself."""
    return f"{entry.event} of {entry.subject or 'the hub'}, entry {entry.seq}, by the trigger {trigger.name}"


def of_message(hook: str) -> str:
    """The same on a message to a hook."""
    return f"a message to {hook}"


def see(reader: Reader, world: World, principal: Principal, entry: Committed) -> Seen:
    """The entry as `principal` may read it. Raises Forbidden for one without the right `read`."""
    eyes = Eyes(world, principal)
    if (subject := eyes.needs(entry)) is not None:
        eyes.look(reader, {subject})
    news = eyes.show(entry)
    variables = {
        "event": news.event,
        "actor": news.actor,
        "subject": news.subject,
        "channel": news.channel,
        "details": dict(news.details),
        "approval": _approval(reader, world, principal, entry.subject or ""),
        "now": from_us(entry.ts),
    }
    return Seen(variables=variables, depth=depth_of(reader, entry))


def _approval(reader: Reader, world: World, principal: Principal, subject: str) -> Mapping[str, Any]:
    """The approval that the entry is about, as it is now; an empty one for none, or none that may be seen."""
    if not subject.startswith("A"):
        return NO_APPROVAL
    try:
        found = find(reader, ids.parse("A", subject))
    except Refusal:
        return NO_APPROVAL
    return _described(world, found) if may_see(world, principal, found) else NO_APPROVAL


def _described(world: World, approval: Approval) -> dict[str, Any]:
    action = world.actions.get(approval.action)
    numbers = {param.name for param in action.params if param.type == "number"} if action is not None else set()
    return {
        "id": approval.name,
        "action": approval.action,
        "title": approval.title,
        "params": {name: float(value) if name in numbers else value for name, value in approval.params.items()},
        "reason": approval.reason or "",
        "requester": approval.requester,
        "state": str(approval.state),
        "policy": approval.policy,
        "resources": list(approval.resources),
        "revision": approval.revision,
        "attempt": approval.attempt,
        "cause": approval.cause or "",
    }
