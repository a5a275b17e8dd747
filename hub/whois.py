"""Who is who: hub.yaml, with what channels and people themselves have told laid over it.

The roster is read again whenever it changed, when a group's members go stale, and now and then, because another node
may have changed it. A change of who may decide is a new version of the configuration, so no transaction counts people
of before; a group that is not fresh any more is refused by the guard of each transaction, whatever this loop does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress

from core.audit.log import Committed
from core.clock import SECOND, Clock
from core.errors import Refusal, TooFast, Unproven
from core.people import linking, told
from core.people.directory import Principal
from core.people.linking import Linked
from core.people.roster import Roster, read_roster, with_roster
from core.store.database import Database
from core.store.tx import Tx
from core.world import World
from hub.contracts import Inbound, Reply
from hub.limits import Limiter

POLL_SECONDS = 5.0
TRIES = 5
"""Codes that one account may try in a minute."""

logger = logging.getLogger("interlock.whois")

_CHANGES = ("identity:linked", "identity:unlinked", "identity:pinned", "group:told")


class WhoIs:
    """The roster at work. `renew` puts the configuration in force anew when what it says has changed."""

    def __init__(
        self,
        *,
        db: Database,
        world: Callable[[], World],
        configured: Callable[[], World],
        renew: Callable[[], Awaitable[None]],
        limiter: Limiter,
        clock: Clock,
        tell: Callable[[Tx, Principal, str], None],
    ) -> None:
        self._db = db
        self._world = world
        self._configured = configured
        self._renew = renew
        self._limiter = limiter
        self._clock = clock
        self._tell = tell
        self._woken = asyncio.Event()
        self._seen: Roster | None = None

    async def laid_over(self, world: World) -> World:
        """The configuration with the roster of now."""
        self._seen = await self._db.read(read_roster)
        return with_roster(world, self._seen, self._db.now_us())

    def notice(self, entries: Iterable[Committed]) -> None:
        """Read the roster again when these entries changed it."""
        if any(each.event in _CHANGES for each in entries):
            self._woken.set()

    async def run(self) -> None:
        """Keep the roster true, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._woken.wait()
            self._woken.clear()
            until = self._world().groups_until
            is_over = until is not None and self._db.now_us() >= until
            if is_over or await self._db.read(read_roster) != self._seen:
                await self._renew()

    def _pause(self) -> float:
        until = self._world().groups_until
        left = POLL_SECONDS if until is None else (until - self._db.now_us()) / SECOND
        return min(POLL_SECONDS, max(0.05, left))

    async def link(self, inbound: Inbound, code: str) -> Reply:
        """The sender's account is bound to the person of the code. Raises Refusal."""
        identity = inbound.sender.identity or ""
        wait = self._limiter.take(f"link:{inbound.channel}:{identity}", TRIES / 60, TRIES, self._clock.monotonic())
        if wait:
            raise TooFast("too_fast", "too many codes; wait a minute", retry_after_seconds=wait)
        made = await self._db.write(self._link, inbound.channel, identity, code)
        await self._renew()
        return Reply(
            ok=True,
            text=f"This account is linked to {made.principal}: what it asks and decides is theirs from now on. "
            "`unlink` ends that.",
            data={"principal": made.principal, "identity": made.identity},
        )

    def _link(self, tx: Tx, channel: str, identity: str, code: str) -> Linked:
        people = self._world().people
        made = linking.link(tx, code, channel=channel, identity=identity, people=people)
        person = people.find(made.principal)
        assert person is not None  # the code was theirs
        self._say_linked(tx, made, person)
        return made

    async def bind(self, principal: str, channel: str, identity: str) -> None:
        """An account that the person proved to be theirs is bound to them. Raises Refusal."""
        await self._db.write(self._bind, principal, channel, identity)
        await self._renew()

    def _bind(self, tx: Tx, principal: str, channel: str, identity: str) -> None:
        people = self._world().people
        person = people.find(principal)
        if person is None:
            raise Unproven("unknown_principal", "you are no longer in the configuration")
        self._say_linked(tx, linking.bind(tx, person, channel=channel, identity=identity, people=people), person)

    def _say_linked(self, tx: Tx, made: Linked, person: Principal) -> None:
        text = f"The account {made.identity} on {made.channel} was linked to you; `unlink {made.identity}` ends that."
        self._tell(tx, person, text)

    async def pin(self, channel: str, realm: str) -> None:
        """The channel's bare identities, if there are any, belong to `realm`. Raises Conflict (`other_realm`)."""
        bare = any("/" not in each.identities.get(channel, "/") for each in self._configured().people)
        if not bare or (self._seen is not None and self._seen.realms.get(channel) == realm):
            return
        await self._db.write(told.pin, channel, realm)
        await self._renew()

    async def tell_group(self, source: str, members: Collection[str] | None, problem: str | None) -> None:
        """These are the members of a group as of now, or why they could not be read."""
        await self._db.write(told.tell_group, source, members, problem)
        with suppress(Refusal):  # requests are changing too fast; the loop comes back to it
            await self._renew()
