"""A real hub in this process, on SQLite, with channels of a test's own beside the ones that every hub has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from commands.registry import Registry
from config.hub import open_database, open_keys, read_config
from config.settings import Settings
from core.clock import Clock, SystemClock
from core.people.assurance import Assurance
from core.people.sessions import begin_browser
from core.world import Channel, World
from hub.contracts import Adapter, AdapterFactory, Command, Inbound, Post, Powers, Reply, Sender
from hub.hub import Hub

PEOPLE = """
people:
  ana: {name: Ana Ruiz, email: ana@example.com, groups: [sre, admins]}
  bo:  {name: Bo Lind,  email: bo@example.com,  groups: [sre]}
  cai: {name: Cai Wu,   email: cai@example.com, groups: [sre]}
  dee: {name: Dee Okoye, email: dee@example.com}
agents: {deploy-bot: {owner: ana}}
services: {ci: {owners: [ana]}}
"""
ACTIONS = """
actions:
  note:
    title: "Note {text}"
    params: {text: {type: string}}
    apply: {command: ["true", "{text}"]}
"""
POLICY = """
policies:
  - name: default
    require: [{group: sre, count: 1}]
"""


class Chat:
    """A channel of this test: it keeps what it was given, and fails as told."""

    def __init__(self, channel: Channel, hub: Any, *, edit: bool = True) -> None:
        self.powers = Powers(edit=edit, addresses_people=True)
        self.posts: list[tuple[str | None, Post]] = []
        """(reference that was updated or None, what was to be shown)."""
        self.failures: list[Exception] = []
        """Raised one after the other before anything is taken."""
        self.messages: list[tuple[str, str]] = []
        """(address, text) of what was no card."""
        self.tries = 0
        self.hold: asyncio.Event | None = None
        self.entered = asyncio.Event()

    def routes(self) -> list[Any]:
        return []

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        yield

    async def post(self, post: Post) -> str:
        return await self._take(None, post)

    async def update(self, reference: str, post: Post) -> str:
        return await self._take(reference, post)

    async def _take(self, reference: str | None, post: Post) -> str:
        self.tries += 1
        self.entered.set()
        if self.failures:
            raise self.failures.pop(0)
        if self.hold is not None:
            await self.hold.wait()
        self.posts.append((reference, post))
        return reference or f"message {len(self.posts)} in {post.address}"

    async def message(self, address: str, text: str, key: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.messages.append((address, text))

    def told(self, address: str) -> list[str]:
        """What a person was told that was no card, in order."""
        return [text for each, text in self.messages if each == address]

    def address_of(self, identities: Mapping[str, str], email: str | None) -> str | None:
        return f"@{email.partition('@')[0]}" if email and email != "dee@example.com" else None

    async def check(self) -> list[str]:
        return []

    def at(self, address: str) -> list[Post]:
        """What was shown at `address`, in order."""
        return [post for _, post in self.posts if post.address == address]


@dataclass(kw_only=True)
class Bench:
    """A running hub and how to ask it."""

    hub: Hub
    channels: Mapping[str, Any] = field(default_factory=dict)

    async def ask(self, who: str, verb: str, *, channel: str = "page", **args: Any) -> Reply:
        """The reply to a structured command of `who`."""
        return await self.hub.handle(
            Inbound(
                channel=channel,
                sender=Sender(principal=who),
                assurance=Assurance.SIGNED_IN,
                command=Command(verb=verb, args=args),
            )
        )

    async def say(self, who: str, text: str, **given: Any) -> Reply:
        """The reply to a typed command of `who`."""
        inbound = Inbound(channel="page", sender=Sender(principal=who), assurance=Assurance.SIGNED_IN, text=text)
        return await self.hub.handle(replace(inbound, **given))

    async def press(self, who: str, token: str | None, comment: str | None = None) -> Reply:
        """The reply to a press of `who`."""
        return await self.hub.handle(
            Inbound(
                channel="page",
                sender=Sender(principal=who),
                assurance=Assurance.SIGNED_IN,
                press=token,
                comment=comment,
            )
        )

    async def request(self, text: str = "hello", who: str = "ana") -> str:
        """The id of a new request that has come under review."""
        reply = await self.ask(who, "request", action="note", params={"text": text})
        assert reply.ok and reply.approval is not None, reply
        name: str = reply.approval["id"]
        await self.until_state(name, "REVIEWING")
        return name

    async def state(self, name: str) -> Any:
        """The Approval JSON as Ana sees it now."""
        reply = await self.ask("ana", "show", id=name)
        assert reply.approval is not None, reply
        return reply.approval

    async def until_state(self, name: str, state: str) -> None:
        """Return once the approval is in `state`."""

        async def is_there() -> bool:
            return bool((await self.state(name))["state"] == state)

        await until(is_there)

    async def events(self, prefix: str = "") -> list[str]:
        """The names of the log's entries."""
        rows = await self.hub.db.read(lambda reader: reader.all(_EVENTS))
        return [row["event"] for row in rows if row["event"].startswith(prefix)]

    async def cookie(self, who: str) -> str:
        """The value of the session cookie of somebody who has just signed in."""
        begun = await self.hub.db.write(
            lambda tx: begin_browser(tx, principal=who, assurance=Assurance.SIGNED_IN, began="cli")
        )
        return begun.secret


async def until(holds: Callable[[], Any], seconds: float = 10.0) -> None:
    """Return once `holds()` (awaited when it can be) is true."""
    async with asyncio.timeout(seconds):
        while True:
            found = holds()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.01)


def _events() -> Any:
    from sqlalchemy import select

    from core.store import schema
    from core.store.statement import Statement

    return Statement(select(schema.log.c.event).order_by(schema.log.c.seq))


_EVENTS = _events()


def make_hub(
    folder: Path,
    *,
    channels: str = "",
    policies: str = POLICY,
    people: str = PEOPLE,
    actions: str = ACTIONS,
    more: str = "",
    adapters: Mapping[str, AdapterFactory] | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    public_url: str = "http://127.0.0.1:8000",
) -> Hub:
    """A hub on `folder`, not running yet; `adapters` are found beside our own by the names that `channels` uses."""
    from adapters.webhook.adapter import adapter as webhook
    from adapters.websocket.adapter import adapter as websocket

    text = f"version: 1\npublic_url: {public_url}\n{people}{actions}{policies}{channels}{more}"
    (folder / "hub.yaml").write_text(text)
    (folder / "data").mkdir(exist_ok=True)
    settings = Settings(config=folder / "hub.yaml", data=folder / "data", environ=environ or {})
    known: dict[str, AdapterFactory] = {"webhook": webhook, "websocket": websocket, **(adapters or {})}
    loaded = read_config(settings, known)
    clock = clock or SystemClock()
    db = open_database(settings, clock)

    def adapters_of(world: World, hub: Any) -> dict[str, Adapter]:
        built_in = {
            "page": Channel(name="page", adapter="websocket"),
            "hooks": Channel(name="hooks", adapter="webhook"),
        }
        return {
            name: known[channel.adapter](channel, hub) for name, channel in (built_in | dict(world.channels)).items()
        }

    return Hub(
        db=db,
        world=loaded.world,
        registry=Registry.installed(),
        keys=open_keys(settings, db),
        data=settings.data,
        load=lambda: read_config(settings, known).world,
        resolve=lambda kind, name: loaded.secrets.lookup(kind, name),
        adapters_of=adapters_of,
        clock=clock,
    )


@asynccontextmanager
async def running(hub: Hub) -> AsyncIterator[Bench]:
    """A bench over the hub while it runs."""
    async with hub:
        yield Bench(hub=hub, channels=hub.adapters)
