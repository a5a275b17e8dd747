"""The board: approvals as somebody who looks sees them now, as cards with live buttons.

Copies in channels are the outbox's (`hub.delivery`); the page and other live channels have none, they are shown the
present picture whenever an approval changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any

from core import ids
from core.approvals.approval import Approval, find
from core.approvals.listing import listing
from core.approvals.press import PAGE, token
from core.approvals.seeing import may_see
from core.approvals.shown import note_shown
from core.approvals.states import State
from core.approvals.view import view_of
from core.audit.log import Committed
from core.clock import Clock, from_us
from core.errors import NotFound, Refusal
from core.people.directory import Kind
from core.store.database import Database
from core.store.rows import Reader
from core.store.tx import Tx
from core.world import World
from hub.cards import card, live_choices
from hub.contracts import Adapter, Caller, Card, Live, Post, Reply

logger = logging.getLogger("interlock.board")

OPEN_CARDS = 100
CLOSED_CARDS = 20
_CHANGES = ("approval:", "apply:", "rollback:", "freeze:overridden")


class Board:
    """Draws approvals for those who look. Everything but `show_noted` belongs to the event loop's thread."""

    def __init__(
        self,
        *,
        db: Database,
        world: Callable[[], World],
        adapters: Callable[[], Mapping[str, Adapter]],
        public_url: Callable[[], str],
        clock: Clock,
        key: bytes,
    ) -> None:
        self._db = db
        self._world = world
        self._adapters = adapters
        self._public_url = public_url
        self._clock = clock
        self._key = key
        self._changed: set[int] = set()
        self._noted: set[tuple[int, int, str]] = set()
        self._woken = asyncio.Event()

    def draw(self, approval: Mapping[str, Any], tokens: Mapping[str, str] | None = None) -> Card:
        """The card of an Approval JSON, with the page's buttons unless `tokens` says which."""
        return card(
            approval,
            public_url=self._public_url(),
            tokens=self.page_tokens(approval) if tokens is None else tokens,
            now=from_us(self._clock.wall_us()),
        )

    def page_tokens(self, approval: Mapping[str, Any]) -> dict[str, str]:
        """Choice -> token of what is live; `Delivery.plan` minted them when the approval got there."""
        digest = approval.get("digest")
        if not digest:
            return {}
        number, revision = ids.parse("A", approval["id"]), int(approval["revision"])
        return {
            choice: token(self._key, approval=number, revision=revision, digest=digest, choice=choice, delivery=PAGE)
            for choice in live_choices(approval)
        }

    async def card(self, caller: Caller, approval: str) -> Reply:
        """One approval, or `not_found` when there is none that `caller` may see."""
        try:
            seen = await self._db.read(_one, self._world(), caller.principal, ids.parse("A", approval))
        except Refusal as refusal:
            return Reply(ok=False, code=refusal.code, text=refusal.message)
        return self.reply(seen)

    async def cards(self, caller: Caller) -> list[Reply]:
        """What is open and the latest that ended, oldest first."""
        found = await self._db.read(_many, self._world(), caller.principal)
        return [self.reply(each) for each in found]

    def reply(self, approval: Mapping[str, Any]) -> Reply:
        """An Approval JSON as `show` answers it."""
        picture = self.draw(approval)
        return Reply(ok=True, text=f"{picture.approval}: {picture.title}", card=picture, approval=approval)

    def notice(self, entries: Iterable[Committed]) -> None:
        """Remember what these entries changed; it is drawn anew for whoever looks."""
        for entry in entries:
            if entry.subject and entry.subject[0] == "A" and entry.event.startswith(_CHANGES):
                self._changed.add(int(entry.subject[1:]))
            elif entry.event.startswith("grant:"):
                self._changed.add(int(entry.details["chosen_on"][1:]))
        if self._changed:
            self._woken.set()

    def changed(self, numbers: Iterable[int]) -> None:
        """These approvals look different because of something else; they are drawn anew for whoever looks."""
        self._changed.update(numbers)
        self._woken.set()

    def showed(self, approval: str, revision: int, people: Collection[str]) -> None:
        """Note that a card of that revision reached these principals; it is written down soon."""
        number = ids.parse("A", approval)
        self._noted.update((number, revision, person) for person in people)
        self._woken.set()

    async def run(self) -> None:
        """Draw what changed and write down what was shown, until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            changed, self._changed = self._changed, set()
            noted, self._noted = self._noted, set()
            try:
                if changed:
                    await self._show(sorted(changed))
                if noted:
                    await self._db.write(note_all, self._world(), sorted(noted))
            except Exception:
                logger.exception("the board could not be brought up to date")
                await asyncio.sleep(1)

    async def _show(self, changed: list[int]) -> None:
        live = [each for each in self._adapters().values() if isinstance(each, Live) and each.watched]
        if not live:
            return
        world = self._world()
        for approval, audience in await self._db.read(_pictures, world, changed):
            post = Post(address="", event="", card=self.draw(approval), approval=approval, audience=audience)
            for adapter in live:
                adapter.picture(post)


def note_all(tx: Tx, world: World, noted: Iterable[tuple[int, int, str]]) -> None:
    """Each (approval, revision, person) of a request under review is written down; only people can decide."""
    for number, revision, person in noted:
        principal = world.people.find(person)
        if principal is None or principal.kind is not Kind.PERSON:
            continue
        with suppress(NotFound):
            approval = find(tx, number)
            if approval.state is State.REVIEWING and approval.revision == revision:
                note_shown(tx, approval=number, revision=revision, person=person)


def audience_of(world: World, approval: Approval) -> frozenset[str] | None:
    """Who may see it; None for everybody who may read at all."""
    action = world.actions.get(approval.action)
    if world.rights.holders("read") is None and (action is None or not action.visible_to):
        return None
    return frozenset(each.id for each in world.people if may_see(world, each, approval))


def _one(reader: Reader, world: World, principal_id: str, number: int) -> dict[str, Any]:
    approval = find(reader, number)
    principal = world.people.find(principal_id)
    if principal is None or not may_see(world, principal, approval):
        raise ids.missing("A", number)
    return view_of(reader, world, approval)


def _many(reader: Reader, world: World, principal_id: str) -> list[dict[str, Any]]:
    principal = world.people.find(principal_id)
    if principal is None:
        return []
    found = listing(reader, world, viewer=principal, state="open", limit=OPEN_CARDS)
    found += listing(reader, world, viewer=principal, state="ended", limit=CLOSED_CARDS)
    return [view_of(reader, world, each) for each in sorted(found, key=lambda each: each.id)]


def _pictures(
    reader: Reader, world: World, numbers: Iterable[int]
) -> list[tuple[dict[str, Any], frozenset[str] | None]]:
    drawn = []
    for number in numbers:
        with suppress(NotFound):
            approval = find(reader, number)
            drawn.append((view_of(reader, world, approval), audience_of(world, approval)))
    return drawn
