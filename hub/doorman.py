"""Sign-in links for people who typed their address on the sign-in page.

What was typed only says whom to look up: a link goes to the address that hub.yaml gives that person, by a channel that
reaches them alone. All of it happens after whoever asked was answered, so they learn neither whether there is such a
person nor whether anything was sent. A link's token stands in memory until it arrived, and is stored hashed.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.clock import SECOND, Clock
from core.moments import show_moment, zone_of
from core.people import links
from core.people.assurance import Assurance
from core.people.directory import HUB, Kind, Principal
from core.store.database import Database
from core.store.tx import Tx
from core.world import World
from hub import receiving
from hub.asking import Target, preferred
from hub.contracts import Adapter, Admitting, DeliveryFailed, LinksBy, SignInLink
from hub.limits import Limiter

MOST_AT_ONCE = 100
"""Links that may be on their way, and as many that may wait; beyond that nobody is heard."""
LINKS, LINKS_SECONDS = 3, 600.0
"""How many links may be asked for an address at once, and after how long one more."""
PAUSES_SECONDS = (5.0, 20.0, 60.0, 180.0, 300.0)
"""How long a link waits after each failure that may pass; after these it would arrive too late to be of use."""
_SEND_SECONDS = 30.0

logger = logging.getLogger("interlock.doorman")


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """Somebody wants to come in: under which address, from where, and to see which approval."""

    address: str
    asked_from: str
    to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A link that is stored, with its token, and where it goes."""

    token: str
    at_us: int
    person: Principal
    target: Target
    knock: Knock


class Doorman:
    """Hears who wants to come in, and brings each link to its person."""

    def __init__(
        self,
        db: Database,
        *,
        world: Callable[[], World],
        adapters: Callable[[], Mapping[str, Adapter]],
        works: Callable[[str], bool],
        public_url: Callable[[], str],
        clock: Clock,
    ) -> None:
        self._db = db
        self._world = world
        self._adapters = adapters
        self._works = works
        self._public_url = public_url
        self._clock = clock
        self._limiter = Limiter()  # of its own: strangers fill it with what they type, and crowd out nobody else
        self._knocks: asyncio.Queue[Knock] = asyncio.Queue(maxsize=MOST_AT_ONCE)

    def links_by(self) -> LinksBy:
        """How somebody comes by a link."""
        adapters = self._adapters()
        commands = {name: each.powers.login for name, each in adapters.items() if each.powers.login is not None}
        return LinksBy(by_address=any(isinstance(each, Admitting) for each in adapters.values()), by_command=commands)

    def hear(self, knock: Knock) -> None:
        """The knock is looked into, later; with too many before it, or too many for its address, never."""
        if self._limiter.take(knock.address, 1 / LINKS_SECONDS, LINKS, self._clock.monotonic()):
            return
        try:
            self._knocks.put_nowait(knock)
        except asyncio.QueueFull:
            logger.warning("more people ask for sign-in links than can be looked after; one was not heard")

    async def run(self) -> None:
        """Until cancelled."""
        free = asyncio.Semaphore(MOST_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while True:
                await free.acquire()
                task = group.create_task(self._serve(await self._knocks.get()))
                task.add_done_callback(lambda _: free.release())

    async def _serve(self, knock: Knock) -> None:
        try:
            person = self._world().people.by_email(knock.address)
            if person is None or person.kind is not Kind.PERSON:
                return
            target = await self._target(person)
            if target is not None:
                await self._bring(await self._db.write(_make, person, target, knock))
        except Exception:
            logger.exception("a sign-in link could not be sent")

    async def _target(self, person: Principal) -> Target | None:
        usable = {name: each for name, each in self._adapters().items() if isinstance(each, Admitting)}
        return preferred(person, usable, self._works, await self._db.read(receiving.suppressed))

    async def _bring(self, made: _Made) -> None:
        """The link has arrived, or was given up; each attempt is recorded."""
        adapter = self._adapters()[made.target.channel]
        assert isinstance(adapter, Admitting)
        link = self._shown(made)
        for attempt, pause in enumerate((*PAUSES_SECONDS, None), 1):
            try:
                async with asyncio.timeout(_SEND_SECONDS):
                    await adapter.admit(made.target.address, link)
            except (DeliveryFailed, TimeoutError) as failed:
                last = pause is None or (isinstance(failed, DeliveryFailed) and failed.permanent)
                event, error = "delivery:dead" if last else "delivery:failed", str(failed) or "no answer in time"
                await self._db.write(_note, made, event, attempt, error)
                if pause is None or last:
                    return
                await asyncio.sleep(pause)
            else:
                await self._db.write(_note, made, "delivery:sent", attempt, None)
                return

    def _shown(self, made: _Made) -> SignInLink:
        base, zone = self._public_url().rstrip("/"), zone_of(made.person, self._world().timezone)
        to = f"?to={made.knock.to}" if made.knock.to is not None else ""
        return SignInLink(
            url=f"{base}/login/{made.token}{to}",
            key=f"login.{secrets.token_hex(12)}",
            name=made.person.name,
            where=base,
            asked_from=made.knock.asked_from,
            asked_at=show_moment(made.at_us, zone),
            good_until=show_moment(made.at_us + int(links.TTL_SECONDS * SECOND), zone),
        )


def _make(tx: Tx, person: Principal, target: Target, knock: Knock) -> _Made:
    """A new link, as strong as an address that somebody else may have typed: `email`, by whatever channel it comes."""
    token = links.create(
        tx,
        by=None,
        principal=person,
        assurance=Assurance.EMAIL,
        began=target.channel,
        channel=target.channel,
        asked_from=knock.asked_from,
    )
    return _Made(token=token, at_us=tx.now_us, person=person, target=target, knock=knock)


def _note(tx: Tx, made: _Made, event: str, attempt: int, error: str | None) -> None:
    tx.record(
        event,
        actor=HUB.id,
        subject=made.person.id,
        channel=made.target.channel,
        details={"shows": "login:created", "recipient": made.person.id, "attempt": attempt},
        private={"address": made.target.address} | ({"error": error[:500]} if error is not None else {}),
    )
