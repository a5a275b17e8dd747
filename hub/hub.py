"""The hub: one object that owns the database, the configuration in force and everything that runs.

Use it as `async with hub:`. It publishes its configuration, recovers what a former hub left behind, and then
reviews, runs, delivers, signs and keeps time until the context ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.guessing import guess
from commands.registry import Registry
from commands.verb import Call
from core import ids, vault
from core.apply import cgroup
from core.apply.cgroup import Cgroups
from core.apply.sealing import Sealer
from core.approvals.approval import find
from core.approvals.flags import config_in_force, halted
from core.approvals.proposal import visible
from core.approvals.reload import Matched, in_force, matched, publish_world
from core.approvals.run import find_run
from core.approvals.view import OUTPUT_TAIL
from core.audit.keys import SigningKey
from core.audit.log import Committed
from core.audit.note import sign
from core.clock import Clock, SystemClock
from core.errors import Conflict, Refusal, StoreError
from core.leases.terms import LEASE_LOCKS
from core.leases.ticking import forgive
from core.once import Once
from core.people.directory import HUB, Principal
from core.people.tokens import Tokens
from core.store.database import Database
from core.store.rows import Reader
from core.store.tx import Tx
from core.triggers.standing import sync
from core.world import Hook, World
from hub import receiving
from hub.agents import Agents
from hub.asking import places, sources
from hub.carrying import Carrier
from hub.checkpoints import Checkpoints
from hub.contracts import (
    Adapter,
    Ailing,
    Caller,
    Command,
    Inbound,
    LinksBy,
    News,
    Opened,
    Output,
    Reply,
    Said,
    Telling,
    WayIn,
)
from hub.delivery import Delivery
from hub.doorman import Doorman
from hub.feed import Feed
from hub.http.origin import origins, reachable
from hub.limits import Limiter
from hub.locks import Locks
from hub.messenger import Messenger
from hub.metrics import Metrics
from hub.news import follow
from hub.opening import opened
from hub.outputs import Outputs
from hub.pipeline import Pipeline, refused_reply
from hub.proofs import Proofs
from hub.recovery import recover
from hub.redrawing import Redrawing
from hub.reviewing import Reviewing
from hub.runner import Runner
from hub.scheduling import Scheduler
from hub.timers import Timers
from hub.triggering import Triggering
from hub.whois import WhoIs

if TYPE_CHECKING:
    from hub.openid import OpenId

logger = logging.getLogger("interlock.hub")

_RETRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The hub's own secrets, from files in the data directory."""

    checkpoint: SigningKey
    sealer: Sealer
    session: bytes
    press: bytes


class _Desk:
    """What a verb's `prepare` may use."""

    def __init__(self, db: Database, sealer: Sealer, public_url: Callable[[], str]) -> None:
        self._db = db
        self._sealer = sealer
        self._public_url = public_url

    @property
    def now_us(self) -> int:
        return self._db.now_us()

    @property
    def public_url(self) -> str:
        return self._public_url()

    async def read(self, fn: Callable[[Reader], Any]) -> Any:
        return await self._db.read(fn)

    def secret(self, context: str, value: str) -> bytes:
        return self._sealer.seal(value, context)


class Hub:
    """One running hub. `load` gives the configuration anew for `reload`; `adapters_of` makes its channels."""

    def __init__(
        self,
        *,
        db: Database,
        world: World,
        registry: Registry,
        keys: Keys,
        data: Path,
        load: Callable[[], World],
        resolve: Callable[[str, str], str],
        adapters_of: Callable[[World, Hub], dict[str, Adapter]],
        clock: Clock | None = None,
    ) -> None:
        self.db = db
        self.registry = registry
        self.data = data
        self.keys = keys
        self.clock: Clock = clock or SystemClock()
        self.signer = keys.checkpoint
        self.metrics = Metrics()
        self.limiter = Limiter()
        self.feed = Feed(db)
        self.feed.listen(self.metrics.learn)
        self.started_at = 0
        self.served_at = ""
        """Where it listens, as a URL, once it does."""
        self.problems: list[str] = []
        """Why the last reload was refused; empty while the newest configuration is in force."""
        self._world = world
        self._configured = world
        """The configuration as hub.yaml has it; `_world` is the same with the roster laid over it."""
        self._openid: OpenId | None = None
        self._publishing = asyncio.Lock()
        self._load = load
        self._resolve = resolve
        self._cgroups: Cgroups | None = cgroup.probe()
        self._background: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()
        self._serving = False
        self.proofs = Proofs(
            db=db, feed=self.feed, clock=self.clock, tokens=Tokens(keys.session), world=lambda: self._world
        )
        self.adapters: dict[str, Adapter] = adapters_of(world, self)
        self.delivery = Delivery(
            db=db,
            world=lambda: self._world,
            adapters=lambda: self.adapters,
            public_url=lambda: self.public_url,
            clock=self.clock,
            key=keys.press,
        )
        self.redrawing = Redrawing(db, lambda: self._world, self.delivery.plan, self.delivery.board.changed)
        self.checkpoints = Checkpoints(db, keys.checkpoint, data, lambda: self._world)
        self.reviewing = Reviewing(db, lambda: self._world, self._carrier)
        self.runner = Runner(db, world=lambda: self._world, carrier=self._carrier, sealer=keys.sealer)
        self.outputs = Outputs(db, world=lambda: self._world, live=self.runner.live)
        self.messenger = Messenger(
            db,
            world=lambda: self._world,
            adapters=lambda: self.adapters,
            works=self.delivery.works,
            tell=self._tell,
        )
        self.doorman = Doorman(
            db,
            world=lambda: self._world,
            adapters=lambda: self.adapters,
            works=self.delivery.works,
            public_url=lambda: self.public_url,
            clock=self.clock,
        )
        self.locks = Locks(self.messenger)
        self.agents = Agents(self.messenger, self._tell)
        self.timers = Timers(db, lambda: self._world, self.locks)
        self.whois = WhoIs(
            db=db,
            world=lambda: self._world,
            configured=lambda: self._configured,
            renew=self._renew,
            limiter=self.limiter,
            clock=self.clock,
            tell=self.tell,
        )
        self.pipeline = Pipeline(
            db=db,
            registry=registry,
            limiter=self.limiter,
            desk=_Desk(db, keys.sealer, lambda: self.public_url),
            clock=self.clock,
            world=lambda: self._world,
            count=self._count,
        )
        self.triggering = Triggering(db, give=self.pipeline.give, world=lambda: self._world)
        self.scheduler = Scheduler(db, give=self.pipeline.give, world=lambda: self._world, tell=self.messenger.plan)
        db.on_committed = self._committed
        db.writer.on_stall = forgive
        db.writer.on_batch = self.metrics.batch
        db.writer.before_append = self._plan

    @property
    def world(self) -> World:
        """The configuration in force."""
        return self._world

    @property
    def public_url(self) -> str:
        """Where people find this hub: as configured, but never another port of this machine than the one it serves."""
        return reachable(self._world.public_url, self.served_at)

    @property
    def openid(self) -> OpenId | None:
        """The client of the OpenID provider in force; None where none is configured."""
        provider = self._world.provider
        if provider is None:
            return None
        if self._openid is None or self._openid.provider != provider:
            from hub.openid import OpenId  # so that only who uses it loads it

            self._openid = OpenId(provider, self.clock)
        return self._openid

    @property
    def ways_in(self) -> tuple[WayIn, ...]:
        """How people sign in besides links."""
        provider = self._world.provider
        if provider is None:
            return ()
        return (WayIn(name=provider.name, url=f"{self.public_url}/login/oidc"),)

    def _carrier(self) -> Carrier:
        return Carrier(root=self._world.root, resolve=self._resolve, cgroups=self._cgroups)

    def _count(self, verb: str, outcome: str, channel: str) -> None:
        known = verb if self.registry.find(verb) is not None else "other"
        self.metrics.command(known, "ok" if outcome == "ok" else "refused", channel)
        if outcome != "ok":
            self.metrics.refused(outcome, channel)

    # --- life ---

    async def __aenter__(self) -> Hub:
        self.db.open(asyncio.get_running_loop())
        self.started_at = self.db.now_us()
        self._world = await self.whois.laid_over(self._configured)
        version = await self.db.write(in_force, self._world.digest)
        if version is not None:
            self._world = replace(self._world, version=version)
        else:
            await self._publish(self._configured)
        await self.db.write(sync, sorted(self._world.triggers))
        await recover(self.db, lambda: self._world)
        await self.db.write(_record, "hub:started", {"config": self._world.version, "pid": os.getpid()})
        for name, adapter in self.adapters.items():
            try:
                await self._stack.enter_async_context(adapter.run())
            except Exception:
                logger.exception("the channel %s did not start; the others go on", name)
        await self._stack.enter_async_context(self.delivery.run())
        loops = (
            *(self.reviewing.run, self.runner.run, self.timers.run, self.checkpoints.run, self.scheduler.run),
            *(self.triggering.run, self.whois.run, self.messenger.run, self.redrawing.run, self.doorman.run),
        )
        self._background = [asyncio.create_task(_forever(run)) for run in loops]
        self._serving = True
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._serving = False
        self.runner.stop_all()
        for _ in range(60):
            if not self.runner.live:
                break
            await asyncio.sleep(0.1)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._stack.aclose()
        try:
            await self.db.write(_record, "hub:stopped", {"config": self._world.version})
            await self.checkpoints.sign()
        except (StoreError, Refusal):
            logger.exception("the stop could not be recorded")
        await asyncio.to_thread(self.db.close)

    def _committed(self, entries: list[Committed]) -> None:
        """Everything that follows from news; each of these is a hint to something that also polls."""
        self.feed.publish(entries)
        self.checkpoints.notice(entries)
        self.delivery.notice(entries)
        self.whois.notice(entries)
        self.runner.notice(entries)
        self.triggering.wake()
        for entry in entries:
            event, subject = entry.event, entry.subject or ""
            if event.startswith("approval:"):
                self.reviewing.wake()
                self.runner.wake()
                self.timers.wake()
            elif event == "command:received":
                self.runner.wake()
                if entry.details.get("verb") == "fire":
                    self.scheduler.wake()
            elif event.startswith("schedule:"):
                self.scheduler.wake()
            elif event.startswith("lease:"):
                self.timers.wake()
            elif event == "apply:stopped":
                self.runner.stop(int(subject[1:]))
                self.timers.wake()
            elif event == "hub:halted":
                self.runner.stop_all()
            elif event in ("hub:resumed", "freeze:ended", "freeze:overridden"):
                self.runner.wake()
                self.reviewing.wake()
            if event.startswith(("freeze:", "delegation:")):
                self.redrawing.wake()

    def _plan(self, tx: Tx) -> None:
        """In the writer's transaction: whatever changed an approval also changes the copies of its card, and whoever a
        lease or an agent concerns will hear of it."""
        self.locks.plan(tx, self._world)
        self.agents.plan(tx, self._world)
        changed = {
            int(draft.subject[1:])
            for draft in tx.drafts
            if draft.subject
            and draft.subject[0] == "A"
            and draft.event.startswith(("approval:", "apply:", "rollback:", "delivery:dead", "freeze:overridden"))
        }
        changed |= {int(draft.details["chosen_on"][1:]) for draft in tx.drafts if draft.event.startswith("grant:")}
        for number in sorted(changed):
            self.delivery.plan(tx, self._world, find(tx, number))

    # --- the way in ---

    async def handle(self, inbound: Inbound) -> Reply:
        """The answer to a proved message."""
        return self._drawn(await self.pipeline.handle(inbound))

    async def act(self, call: Call, command: Command, *, once: Once | None = None) -> Reply:
        """The reply of one command by a known principal. Raises the Refusal, recorded by then."""
        return self._drawn(await self.pipeline.act(call, command, once=once))

    def _drawn(self, reply: Reply) -> Reply:
        if reply.approval is None:
            return reply
        return replace(reply, card=self.delivery.board.draw(reply.approval))

    async def hooked(self, inbound: Inbound, hook: Hook, body: Any, headers: Mapping[str, str]) -> Reply:
        """What the triggers of a hook made of a proved message."""
        return await self.triggering.hooked(inbound, hook.triggers, body, headers)

    async def refuse(self, inbound: Inbound, code: str, message: str) -> Reply:
        """Record that the message of a proved sender could not be read; the answer to give."""
        await self.db.write(_refuse_hook, inbound.sender.principal, inbound.channel, code, message)
        self.metrics.refused(code, inbound.channel)
        return refused_reply(Refusal(code, message))

    def unproven(self, channel: str, code: str) -> None:
        """Count a message whose sender proved nothing."""
        self.metrics.unproven(channel, code)

    # --- what channels ask ---

    async def authenticate(self, headers: Mapping[str, str]) -> Caller | None:
        """Who sends these request headers; None when nobody proved it."""
        return await self.proofs.authenticate(headers)

    def valid(self, caller: Caller) -> bool:
        """Whether the proof of `caller` still stands."""
        return self.proofs.valid(caller)

    def nonce(self, caller: Caller, purpose: str) -> str:
        """An unguessable text, always the same for this proof and purpose."""
        return self.proofs.nonce(caller, purpose)

    def hook(self, name: str) -> Hook | None:
        """The inbound hook of that name."""
        return self._world.hooks.get(name)

    def follow(self, caller: Caller, *, after: int | None, events: Collection[str] = ()) -> AsyncIterator[News]:
        """Every entry that `caller` may see after seq `after`, then each new one."""
        return follow(db=self.db, feed=self.feed, world=lambda: self._world, caller=caller, after=after, events=events)

    async def cards(self, caller: Caller) -> list[Reply]:
        """The open approvals that `caller` may see and the latest closed ones."""
        return await self.delivery.board.cards(caller)

    async def card(self, caller: Caller, approval: str) -> Reply:
        """One approval as `show` answers it."""
        return await self.delivery.board.card(caller, approval)

    async def halted(self) -> str | None:
        """Why everything is stopped; None when runs may start."""
        return await self.db.read(halted)

    def showed(self, approval: str, revision: int, people: Collection[str]) -> None:
        """Note that a card of that revision reached these principals."""
        self.delivery.board.showed(approval, revision, people)

    async def opened(self, token: str) -> tuple[Opened, Reply] | None:
        """What the token of a copy stands for, and the request as `show` answers it."""
        found = await self.db.read(opened, self._world, self.keys.press, token)
        return None if found is None else (found[0], self.delivery.board.reply(found[1]))

    def links_by(self) -> LinksBy:
        """How somebody who is not signed in comes by a link."""
        return self.doorman.links_by()

    async def output(self, run: str) -> bytes:
        """Everything that is kept of what a run printed; nothing while it runs."""
        found = await self.db.read(find_run, ids.parse("R", run))
        return found.output or b"" if found.ended_at is not None else b""

    def watch(self, caller: Caller, run: str, offset: int) -> AsyncGenerator[Output]:
        """What a run prints at or after `offset`, as it comes."""
        return self.outputs.watch(caller, run, offset)

    async def understood(self, inbound: Inbound, text: str) -> str | None:
        """The command line that free text of a proved sender seems to mean."""
        call = self.pipeline.call(inbound)
        return guess(text, [each for each in call.world.actions.values() if visible(each, call.principal)])

    async def keep_received(self, channel: str, key: str, raw: bytes) -> int:
        """The message is durable; how often it has been tried now, or 0 when it was handled before."""
        return await self.db.write(receiving.keep_received, channel, key, raw, urgent=True)

    async def settle_received(self, channel: str, key: str, outcome: str, *, forget: bool = False) -> None:
        """Note what became of a received message."""
        await self.db.write(receiving.settle_received, channel, key, outcome, forget)

    async def left_received(self, channel: str) -> list[tuple[str, bytes]]:
        """Key and text of what was received and never settled, the oldest first."""
        return await self.db.read(receiving.left_received, channel)

    def places(self, channel: str) -> tuple[str, ...]:
        """The addresses on the channel that the configuration names."""
        return places(self._world, channel)

    async def link(self, inbound: Inbound, code: str) -> Reply:
        """Bind the sender's account to the person of a one-time code."""
        try:
            return await self.whois.link(inbound, code)
        except Refusal as refusal:
            return await self.refuse(inbound, refusal.code, refusal.message)

    async def bind(self, principal: str, channel: str, identity: str) -> None:
        """An account that the person proved to be theirs is bound to them. Raises Refusal."""
        await self.whois.bind(principal, channel, identity)

    async def pin(self, channel: str, realm: str) -> None:
        """The channel's bare identities belong to `realm` from now on. Raises Conflict when to another already."""
        await self.whois.pin(channel, realm)

    def sources(self, channel: str) -> tuple[str, ...]:
        """The groups of the channel from which hub.yaml takes members."""
        return sources(self._world, channel)

    async def tell_group(
        self, channel: str, group: str, members: Collection[str] | None, problem: str | None = None
    ) -> None:
        """These identities are in the channel's group, or why that could not be read."""
        await self.whois.tell_group(f"{channel}:{group}", members, problem)

    def may(self, caller: Caller, right: str) -> bool:
        """Whether `caller` has a right now."""
        principal = self._world.people.find(caller.principal)
        return principal is not None and self.valid(caller) and self._world.rights.has(principal, right)

    async def kept(self, channel: str) -> dict[str, tuple[str, int]]:
        """What the channel keeps sealed: name -> value and version."""
        found = await self.db.read(vault.kept, channel)
        opened = self.keys.sealer.open
        return {each.name: (opened(each.sealed, vault.context(channel, each.name)), each.version) for each in found}

    async def keep(
        self, channel: str, name: str, value: str, *, after: int | None = None, said: Said | None = None
    ) -> bool:
        """The value is kept, sealed; False when the one there is not version `after`."""
        sealed = self.keys.sealer.seal(value, vault.context(channel, name))
        return await self.db.write(
            lambda tx: vault.put(tx, channel, name, sealed, after=after, entry=_entry(said)), urgent=True
        )

    async def claim(self, channel: str, name: str, version: int, seconds: float) -> bool:
        """Whether changing that version of a kept value is ours alone for so long."""
        return await self.db.write(vault.claim, channel, name, version, seconds)

    async def take(self, channel: str, name: str, *, said: Said | None = None) -> str | None:
        """A kept value, which is kept no more."""
        found = await self.db.write(vault.take, channel, name, _entry(said))
        return None if found is None else self.keys.sealer.open(found.sealed, vault.context(channel, name))

    async def gone(self, channel: str, prefix: str, why: str) -> int:
        """Note that nothing reaches the channel's addresses that begin so."""
        return await self.db.write(receiving.gone, channel, prefix, why)

    def by_email(self, channel: str, email: str) -> str | None:
        """The one person with that address whom hub.yaml gives no identity on the channel."""
        found = self._world.people.by_email(email)
        return None if found is None or channel in found.identities else found.id

    def named(self, channel: str, identity: str) -> str | None:
        """The principal with that identity on the channel."""
        found = self._world.people.by_identity(channel, identity)
        return None if found is None else found.id

    async def takes_again(self, channel: str, address: str | None = None) -> None:
        """The address takes messages again, or every address of the channel."""
        await self.db.write(receiving.clear, channel, address)

    async def bounced(self, delivery: int, why: str) -> bool:
        """Note that a copy came back: it is dead, and its address takes no more."""
        return await self.db.write(receiving.bounce, delivery, why)

    def origins(self, host: str | None) -> frozenset[str]:
        """The origins whose pages are ours, for a request that came under this Host."""
        return origins(host, self.public_url)

    @property
    def head(self) -> int:
        """The seq of the newest entry of the log."""
        return self.feed.head

    def tell(self, tx: Tx, principal: Principal, text: str) -> None:
        """Let a person know, once the transaction is durable, what was made in their name."""
        tx.after_commit(lambda: self._tell(principal, text))

    def _tell(self, principal: Principal, text: str) -> None:
        logger.info("told %s: %s", principal.id, text)
        for adapter in self.adapters.values():
            if isinstance(adapter, Telling):
                adapter.tell(principal.id, text)

    async def checkpoint(self) -> str:
        """A signed checkpoint over everything committed so far, as a note."""
        return await self.checkpoints.sign()

    def checkpoint_key(self) -> str:
        """The verifier key of the checkpoints, as text."""
        return self.signer.verifier.text

    def output_so_far(self, run: int) -> str | None:
        """The end of what a run under way in this process has said; None for one that is not."""
        live = self.runner.live.get(run)
        return None if live is None else live.printed.text()[-OUTPUT_TAIL:]

    def state(self, text: str) -> str:
        """The note of a statement, signed by the key of the checkpoints."""
        return sign(text, [self.signer]).render()

    # --- configuration ---

    async def reload(self) -> list[str]:
        """The newest hub.yaml is in force, or the reasons why the old one stays."""
        try:
            world = await asyncio.to_thread(self._load)
            async with self._publishing:
                await self._publish(world)
        except Refusal as refusal:
            self.problems = list(refusal.data.get("problems", ())) or [refusal.message]
            logger.warning("the configuration was not taken: %s", "; ".join(map(str, self.problems)))
            return [str(each) for each in self.problems]
        self.problems = []
        self.reviewing.wake()
        self.runner.wake()
        return []

    async def _renew(self) -> None:
        """The configuration in force says what the roster says now."""
        async with self._publishing:
            world = await self.whois.laid_over(self._configured)
            if world.digest == self._world.digest:
                self._world = replace(world, version=self._world.version)
            else:
                await self._publish(self._configured, closing=False)

    async def _publish(self, configured: World, *, closing: bool = True) -> None:
        """Put `configured` in force: open requests are matched again in the same transaction."""
        desk = _Desk(self.db, self.keys.sealer, lambda: self.public_url)
        for _ in range(_RETRIES):
            world = await self.whois.laid_over(configured)
            found = await self.db.read(matched, world, desk.secret)
            try:
                version = await self.db.write(_put_in_force, world, found, closing, locks=LEASE_LOCKS)
            except Conflict:
                continue  # an open request changed meanwhile: match again
            self._configured, self._world = configured, replace(world, version=version)
            return
        raise Conflict("busy", "requests changed faster than they could be matched; reload again")

    def health(self) -> dict[str, Any]:
        """What `/readyz` tells."""
        writer = self.db.writer.healthy
        return {
            "ready": self._serving and writer,
            "database": {"ok": writer, "dialect": self.db.dialect},
            "migrations": {"ok": True},
            "writer": {"ok": writer, "queued": self.db.writer.queued},
            "log": {"ok": writer, "size": self.db.log.size},
            "config": {"version": self._world.version, "problems": self.problems},
            "anchors": self.checkpoints.problems,
            "adapters": {name: "ok" if self._well(name, each) else "degraded" for name, each in self.adapters.items()},
        }

    def _well(self, name: str, adapter: Adapter) -> bool:
        return self.delivery.works(name) and not (isinstance(adapter, Ailing) and adapter.problem is not None)


async def _forever(run: Callable[[], Any]) -> None:
    """Run a loop again when it fails: a bug in one must not end the hub."""
    while True:
        try:
            await run()
        except Exception:
            logger.exception("a loop of the hub failed; it starts again")
            await asyncio.sleep(1)


def _entry(said: Said | None) -> vault.Entry | None:
    return None if said is None else vault.Entry(event=said.event, actor=said.actor, details=said.details)


def _put_in_force(tx: Tx, world: World, found: Matched, closing: bool) -> int:
    """The version of `world`, under which open requests were matched and its triggers have their places."""
    version = publish_world(tx, world, found, closing)
    sync(tx, sorted(world.triggers))
    return version


def _record(tx: Tx, event: str, details: dict[str, Any]) -> None:
    tx.record(event, actor=HUB.id, details={**details, "config_seen": config_in_force(tx)[0]})


def _refuse_hook(tx: Tx, principal: str | None, channel: str, code: str, message: str) -> None:
    tx.record("hook:refused", actor=principal, channel=channel, details={"code": code}, private={"message": message})
