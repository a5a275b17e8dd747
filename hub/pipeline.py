"""From a proved message to one answer, in one write: once, who, limit, parse, may, run, answer.

Refusals are answers. Those of a known sender are recorded with their reason in the same commit as the stored
answer; a sender beyond the limits is counted, and recorded once a minute.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from commands.grammar import parse
from commands.permitting import demand_may
from commands.registry import Registry
from commands.verb import Call, Desk, Outcome, Verb
from core import errors
from core.agents.standing import demand_active
from core.approvals.flags import is_in_force
from core.approvals.press import find as find_press
from core.approvals.view import view
from core.clock import Clock
from core.errors import NotFound, Refusal, Stale, TooFast, Unproven
from core.ids import show
from core.once import Once, keep, recall
from core.people.directory import Kind, Principal
from core.people.linking import stands
from core.store.database import Database
from core.store.encoding import dump, load
from core.store.tx import Tx
from core.world import World
from hub.contracts import Command, Inbound, Reply
from hub.limits import Limiter

_RETRIES = 3
_NOTE_EVERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the one write came to: a reply, or the refusal that was recorded; neither where another process was first."""

    reply: Reply | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One command on its way into the transaction."""

    call: Call
    verb: Verb
    args: Any
    prepared: Any
    looked: Outcome | None = None
    once: Once | None = None
    occasion: Occasion | None = None


class Occasion(Protocol):
    """Why the hub itself gives a command: it is taken once, in the transaction of what comes of the command."""

    def take(self, tx: Tx) -> bool:
        """Whether this transaction is the one; False when another process was first."""
        ...

    def settle(self, tx: Tx, answer: Answer) -> None:
        """Note what came of it."""
        ...


class Pipeline:
    """The one way in, for every channel."""

    def __init__(
        self,
        *,
        db: Database,
        registry: Registry,
        limiter: Limiter,
        desk: Desk,
        clock: Clock,
        world: Callable[[], World],
        count: Callable[[str, str, str], object],
    ) -> None:
        self._db = db
        self._registry = registry
        self._limiter = limiter
        self._desk = desk
        self._clock = clock
        self._world = world
        self._count = count
        self._noted: dict[str, float] = {}

    async def handle(self, inbound: Inbound) -> Reply:
        """The answer to a proved message, never an exception for a refusal."""
        try:
            call = self.call(inbound)
        except Refusal as refusal:
            self._count("unknown-sender", refusal.code, inbound.channel)
            return refused_reply(refusal)
        try:
            return await self._handle(inbound, call)
        except Refusal as refusal:
            return refused_reply(refusal)

    async def _handle(self, inbound: Inbound, call: Call) -> Reply:
        once = None
        if inbound.message_id is not None:
            once = Once(
                scope=f"channel:{inbound.channel}",
                sender=call.principal.id,
                key=inbound.message_id,
                body_hash=inbound.body_hash,
            )
        if inbound.press is not None:
            return await self._press(call, inbound.press, inbound.comment, inbound.confirm)
        if inbound.command is not None:
            return await self.act(call, inbound.command, once=once)
        try:
            verb, args = parse(inbound.text or "", self._registry, call.world.actions)
        except Refusal as refusal:
            self._limit(call, None)
            raise await self._refuse(call, "parse", refusal, once) from None
        return await self.act(replace(call, typed=True), Command(verb=verb.name, args=args), once=once)

    def call(self, inbound: Inbound) -> Call:
        """Who asks, from where, how strongly proved. Raises Unproven for nobody of this configuration."""
        world = self._world()
        sender = inbound.sender
        principal: Principal | None = None
        is_linked = False
        if sender.principal is not None:
            principal = world.people.find(sender.principal)
        elif sender.identity is not None:
            principal = world.people.by_identity(inbound.channel, sender.identity)
            is_linked = world.people.is_linked(inbound.channel, sender.identity)
        if principal is None or inbound.assurance == 0:
            raise Unproven("unknown_sender", "nobody in hub.yaml has this identity; ask an administrator to add you")
        return Call(
            world=world,
            principal=principal,
            channel=inbound.channel,
            assurance=inbound.assurance,
            may_decide=inbound.may_decide,
            address=inbound.answer_to,
            said_at_us=inbound.said_at_us,
            message_id=inbound.message_id,
            evidence=inbound.evidence,
            linked=sender.identity if is_linked else None,
            private=inbound.private,
        )

    async def _press(self, call: Call, token: str, comment: str | None, confirm: str | None) -> Reply:
        press = await self._db.read(find_press, token)
        if press is None:
            self._limit(call, None)
            refusal = NotFound("unknown_press", "this button is not ours, or too old; open the request again")
            raise await self._refuse(call, "press", refusal, None, event="press:refused")
        name = show("A", press.approval)
        args: dict[str, Any] = {"ids": [name], "digest": press.digest, "confirm": confirm, "comment": comment}
        if press.choice == "stop":
            args = {"target": name, "reason": comment or "the button Stop was pressed"}
        elif press.choice in ("apply", "rollback"):
            args = {"ids": [name]}
        # Who comes back with a stronger proof, or types something else, is not answered with what was refused before.
        typed = f"\n{confirm.strip().upper()}" if confirm else ""
        key = hashlib.sha256(f"{token}\n{int(call.assurance)}{typed}".encode())
        once = Once(scope="press", sender=call.principal.id, key=key.hexdigest(), body_hash=key.digest())
        return await self.act(call, Command(verb=press.choice, args=args), once=once)

    async def act(self, call: Call, command: Command, *, once: Once | None = None) -> Reply:
        """The reply of one command by a known principal. Raises the Refusal, which is recorded by then."""
        verb = self._registry.find(command.verb)
        if verb is None:
            raise await self._refuse(
                call, "unknown", NotFound("unknown_command", f"there is no command {command.verb[:60]!r}"), once
            )
        self._limit(call, verb)
        items = command.args.get(verb.each) if verb.each is not None else None
        if isinstance(items, list | tuple) and items:
            if verb.spread is not None and [str(each).lower() for each in items] == ["all"]:
                return await self._act_all(call, verb, command, once)
            if len(items) > 1:
                each = {item: {**command.args, verb.each or "": [item]} for item in dict.fromkeys(items)}
                return await self._act_each(call, verb, command, each, once)
        return await self._act(call, verb, command, once)

    async def _act_all(self, call: Call, verb: Verb, command: Command, once: Once | None) -> Reply:
        """The reply over everything that `all` stands for, kept whole: said again, it would stand for something else."""
        assert verb.spread is not None
        try:
            args = verb.read(command.args)
            demand_may(call, verb)
            first = await self._db.read(recall, once) if once is not None else None
            if first is not None:
                return _given(_stored(first))
            spread = await self._db.read(verb.spread, call, args)
        except Refusal as refusal:
            raise await self._refuse(call, verb.name, refusal, once) from None
        reply = await self._act_each(call, verb, command, spread.items, once)
        reply = replace(reply, text="\n".join(each for each in (reply.text, spread.left) if each))
        return _given(await self._db.write(_settle, call, verb, reply, once))

    async def _act_each(
        self, call: Call, verb: Verb, command: Command, items: Mapping[str, Mapping[str, Any]], once: Once | None
    ) -> Reply:
        """One reply over several items: each is a command of its own, and one that is refused stops no other."""
        try:
            verb.read(command.args)
        except Refusal as refusal:
            raise await self._refuse(call, verb.name, refusal, once) from None
        said: list[dict[str, Any]] = []
        for item, args in items.items():
            part = replace(once, key=f"{once.key}#{item}") if once is not None else None
            try:
                reply = await self._act(call, verb, Command(verb=verb.name, args=args), part)
            except Refusal as refusal:
                reply = refused_reply(refusal)
            text = reply.text if reply.text.startswith(str(item)) else f"{item}: {reply.text}"
            said.append({"id": item, "ok": reply.ok, "code": reply.code, "text": text})
        return Reply(
            ok=all(each["ok"] for each in said),
            code=next((each["code"] for each in said if not each["ok"]), None),
            text="\n".join(each["text"] for each in said),
            data={"items": said},
        )

    async def _act(self, call: Call, verb: Verb, command: Command, once: Once | None) -> Reply:
        for _ in range(_RETRIES):
            try:
                args = verb.read(command.args)
                demand_may(call, verb)
                prepared = await verb.prepare(self._desk, call, args) if verb.prepare else None
                looked = await self._db.read(verb.look, call, args) if verb.look else None
            except Refusal as refusal:
                raise await self._refuse(call, verb.name, refusal, once) from None
            answer = await self._write(
                _Work(call=call, verb=verb, args=args, prepared=prepared, looked=looked, once=once)
            )
            if isinstance(answer.refusal, Stale) and answer.refusal.code == "config_changed":
                call = self._moved(call)
                continue
            break
        outcome = answer.refusal.code if answer.refusal else "ok"
        self._count(verb.name, outcome, call.channel)
        return _given(answer)

    async def _write(self, work: _Work) -> Answer:
        return await self._db.write(
            execute,
            work,
            locks=work.verb.locks,
            urgent=work.verb.urgent,
            refused=lambda tx, refusal: record_refusal(tx, work, refusal),
        )

    async def give(self, call: Call, verb: Verb, args: Mapping[str, Any], occasion: Occasion) -> Answer:
        """What came of a command that the hub itself gives for `occasion`, in the name of `call`.

        It is read and authorised as if it had just been sent. Where the configuration changed meanwhile the answer is
        that refusal and the occasion is not taken: it comes again.
        """
        work = _Work(call=call, verb=verb, args=None, prepared=None, occasion=occasion)
        try:
            checked = verb.read(args)
            demand_may(call, verb)
            prepared = await verb.prepare(self._desk, call, checked) if verb.prepare else None
        except Refusal as refusal:
            answer: Answer = await self._db.write(record_refusal, work, refusal)
        else:
            answer = await self._write(replace(work, args=checked, prepared=prepared))
        self._count(verb.name, answer.refusal.code if answer.refusal else "ok", call.channel)
        return answer

    def _moved(self, call: Call) -> Call:
        """The call under the configuration in force now. Raises Unproven when its principal is gone."""
        world = self._world()
        principal = call.principal
        if principal.kind is not Kind.OPERATOR:
            found = world.people.find(principal.id)
            if found is None:
                raise Unproven("unknown_sender", "you are no longer in the configuration")
            principal = found
        return replace(call, world=world, principal=principal)

    def _limit(self, call: Call, verb: Verb | None) -> None:
        """Nothing, within the limits. Raises TooFast, which costs nothing and is recorded once a minute."""
        if verb is not None and verb.unlimited:
            return
        limits, now = call.world.limits, self._clock.monotonic()
        wait = self._limiter.take(call.principal.id, limits.commands_per_second, limits.burst, now)
        if not wait:
            return
        self._count("limited", "too_fast", call.channel)
        refusal = TooFast("too_fast", "too fast; slow down and try again", retry_after_seconds=wait)
        if now - self._noted.get(call.principal.id, -_NOTE_EVERY_SECONDS) >= _NOTE_EVERY_SECONDS:
            self._noted[call.principal.id] = now
            self._db.write(_note_refusal, call, "limited", refusal, "command:refused")
        raise refusal

    async def _refuse(
        self, call: Call, what: str, refusal: Refusal, once: Once | None, event: str = "command:refused"
    ) -> Refusal:
        """The refusal, recorded and stored; or the first one under the same once-key."""
        self._count(what, refusal.code, call.channel)
        answer = await self._db.write(_refuse_early, call, what, refusal, once, event)
        if answer.reply is not None:  # the same message had been answered before
            raise _Answered(answer.reply)
        assert answer.refusal is not None
        return answer.refusal


class _Answered(Refusal):
    """The same message was accepted the first time, so its first answer stands."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.code or "repeated", reply.text)
        self.reply = reply


def execute(tx: Tx, work: _Work) -> Answer:
    """Once-check, effect, entry and stored answer, in one transaction."""
    if work.once is not None and (text := recall(tx, work.once)) is not None:
        return _stored(text)
    call = work.call
    if not is_in_force(tx, call.world):
        raise Stale("config_changed", "the configuration has just changed; ask again")
    if call.linked is not None and not stands(tx, call.channel, call.linked, call.principal.id):
        raise Unproven("unknown_sender", "this account is not linked any more; ask an administrator")
    demand_active(tx, call.principal)
    if work.occasion is None:
        return _effect(tx, work)
    if not work.occasion.take(tx):
        return Answer()
    answer = _effect(tx, work)
    work.occasion.settle(tx, answer)
    return answer


def _effect(tx: Tx, work: _Work) -> Answer:
    call, verb = work.call, work.verb
    outcome = work.looked
    if outcome is None:
        assert verb.run is not None  # the registry takes no verb without one of the two
        outcome = verb.run(tx, call, work.args, work.prepared)
    if outcome.refusal is not None:
        _note_refusal(tx, call, verb.name, outcome.refusal, "command:refused")
        _keep_refusal(tx, work.once, outcome.refusal)
        return Answer(refusal=outcome.refusal)
    if outcome.record:
        _record(tx, call, "command:received", {"verb": verb.name}, outcome)
    reply = Reply(
        ok=outcome.ok,
        code=outcome.code,
        text=outcome.text,
        approval=view(tx, call.world, outcome.approval) if outcome.approval is not None else None,
        data=outcome.data,
    )
    if work.once is not None:
        kept = replace(reply, text=outcome.said_again or reply.text, data={} if outcome.said_again else reply.data)
        keep(tx, work.once, dump({"reply": {**asdict(kept), "card": None}}))
    return Answer(reply=reply)


def _given(answer: Answer) -> Reply:
    """The reply of an answer. Raises the Refusal that it is."""
    if answer.refusal is not None:
        raise answer.refusal
    assert answer.reply is not None
    return answer.reply


def _settle(tx: Tx, call: Call, verb: Verb, reply: Reply, once: Once | None) -> Answer:
    """A reply over several items is recorded as asked for and kept, unless the same message was answered meanwhile."""
    if once is not None and (text := recall(tx, once)) is not None:
        return _stored(text)
    _record(tx, call, "command:received", {"verb": verb.name, "items": len(reply.data["items"])})
    if once is not None:
        keep(tx, once, dump({"reply": {**asdict(reply), "card": None}}))
    return Answer(reply=reply)


def _record(tx: Tx, call: Call, event: str, details: dict[str, Any], outcome: Outcome | None = None) -> None:
    subject = show("A", outcome.approval) if outcome is not None and outcome.approval is not None else None
    tx.record(event, actor=call.principal.id, subject=subject, channel=call.channel, details=details)


def record_refusal(tx: Tx, work: _Work, refusal: Refusal) -> Answer:
    """The refusal of a known sender, in the log and under the once-key."""
    if refusal.code == "config_changed":
        return Answer(refusal=refusal)
    if refusal.code == "idempotency_mismatch":
        _note_refusal(tx, work.call, work.verb.name, refusal, "command:refused")
        return Answer(refusal=refusal)
    if work.occasion is not None and not work.occasion.take(tx):
        return Answer()
    event = "press:refused" if work.once is not None and work.once.scope == "press" else "command:refused"
    _note_refusal(tx, work.call, work.verb.name, refusal, event)
    _keep_refusal(tx, work.once, refusal)
    answer = Answer(refusal=refusal)
    if work.occasion is not None:
        work.occasion.settle(tx, answer)
    return answer


def _refuse_early(tx: Tx, call: Call, what: str, refusal: Refusal, once: Once | None, event: str) -> Answer:
    if once is not None and (text := recall(tx, once)) is not None:
        return _stored(text)
    _note_refusal(tx, call, what, refusal, event)
    _keep_refusal(tx, once, refusal)
    return Answer(refusal=refusal)


def _note_refusal(tx: Tx, call: Call, what: str, refusal: Refusal, event: str) -> None:
    tx.record(
        event,
        actor=call.principal.id,
        channel=call.channel,
        details={"verb": what, "code": refusal.code, **(call.cause.details if call.cause else {})},
        private={"message": refusal.message},
    )


def _keep_refusal(tx: Tx, once: Once | None, refusal: Refusal) -> None:
    if once is not None and not (once.scope == "press" and refusal.code == "frozen"):  # thawed, the button works again
        kept = {"kind": type(refusal).__name__, "code": refusal.code, "message": refusal.message}
        keep(tx, once, dump({"refusal": {**kept, "data": dict(refusal.data)}}))


def _stored(text: str) -> Answer:
    """The first answer, given again."""
    first = load(text)
    if "reply" in first:
        return Answer(reply=Reply(**{**first["reply"], "repeated": True}))
    refusal = first["refusal"]
    kind = getattr(errors, refusal["kind"], Refusal)
    return Answer(refusal=kind(refusal["code"], refusal["message"], **refusal["data"]))


def refused_reply(refusal: Refusal) -> Reply:
    """A refusal as the reply that a channel shows."""
    if isinstance(refusal, _Answered):
        return refusal.reply
    return Reply(ok=False, code=refusal.code, text=refusal.message, data=dict(refusal.data))
