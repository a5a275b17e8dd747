"""Entries of the log as one reader may see them: facts for everybody with `read`, private values for whom they concern.

Of an approval that a reader may not see, an entry shows that something happened, and nothing of what. Private
values that belong to no approval and no lease, and the addresses that copies went to, are for who acted and for the
right `audit`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing

from core import ids
from core.approvals.approval import find
from core.approvals.seeing import may_see
from core.audit.log import Committed
from core.clock import rfc3339
from core.errors import Forbidden, NotFound, Unproven
from core.people.directory import OPERATOR, Principal
from core.store.database import Database
from core.store.rows import Reader
from core.world import World
from hub.contracts import Caller, News
from hub.feed import BEHIND, Feed

_REMEMBERED = 4_096


class Eyes:
    """What one principal may see, under one configuration. Remembers what it found of each approval."""

    def __init__(self, world: World, principal: Principal) -> None:
        """Raises Forbidden for somebody without the right `read`."""
        if not world.rights.has(principal, "read"):
            raise Forbidden("not_allowed", "this needs the right read")
        self.world = world
        self.principal = principal
        self._open = all(not action.visible_to for action in world.actions.values())
        self._audits = world.rights.has(principal, "audit")
        self._seen: dict[str, bool] = {}

    def needs(self, entry: Committed) -> str | None:
        """The approval that has to be looked up before `show`; None when nothing has."""
        subject = _about(entry)
        if self._open or subject is None or not subject.startswith("A") or subject in self._seen:
            return None
        return subject

    def look(self, reader: Reader, subjects: Collection[str]) -> None:
        """Learn which of these approvals may be seen."""
        if len(self._seen) > _REMEMBERED:
            self._seen.clear()
        for subject in subjects:
            self._seen[subject] = self._may_see(reader, subject)

    def _may_see(self, reader: Reader, subject: str) -> bool:
        try:
            return may_see(self.world, self.principal, find(reader, ids.parse("A", subject)))
        except NotFound:
            return False

    def show(self, entry: Committed) -> News:
        """The entry as this principal may see it."""
        subject = _about(entry) or ""
        details = {}
        if subject.startswith("A"):
            if self._open or self._seen.get(subject, False):
                addresses = entry.event.startswith("delivery:") and not self._audits
                details = dict(entry.details) if addresses else {**entry.details, **entry.private}
        elif self._audits or entry.actor == self.principal.id or subject.startswith(("L", "T", "R")):
            details = {**entry.details, **entry.private}
        else:
            details = dict(entry.details)
        return News(
            seq=entry.seq,
            ts=rfc3339(entry.ts),
            event=entry.event,
            actor=entry.actor,
            subject=entry.subject,
            channel=entry.channel,
            details=details,
        )


def _about(entry: Committed) -> str | None:
    """What decides who may see the entry: its subject, and for a grant the approval that it was chosen with."""
    if entry.event.startswith("grant:"):
        return str(entry.details["chosen_on"])
    return entry.subject


def principal_of(world: World, caller: Caller) -> Principal:
    """Who `caller` is under that configuration. Raises Unproven for one who left it."""
    principal = OPERATOR if caller.principal == OPERATOR.id else world.people.find(caller.principal)
    if principal is None:
        raise Unproven("unknown_principal", "you are no longer in the configuration")
    return principal


def eyes_of(world: World, caller: Caller) -> Eyes:
    """The eyes of `caller`. Raises Unproven for one who left the configuration, Forbidden without `read`."""
    return Eyes(world, principal_of(world, caller))


async def show_all(db: Database, eyes: Eyes, entries: list[Committed]) -> list[News]:
    """The entries as those eyes see them, with one look into the database at most."""
    unknown = {subject for entry in entries if (subject := eyes.needs(entry)) is not None}
    if unknown:
        await db.read(eyes.look, unknown)
    return [eyes.show(entry) for entry in entries]


async def follow(
    *,
    db: Database,
    feed: Feed,
    world: Callable[[], World],
    caller: Caller,
    after: int | None,
    events: Collection[str] = (),
    limit: int = BEHIND,
) -> AsyncGenerator[News, None]:
    """What `caller` may see after seq `after` (None: from now on), then each new entry, until the feed closes.

    Raises Unavailable (`too_slow`), Forbidden, Unproven.
    """
    eyes = eyes_of(world(), caller)
    wanted = frozenset(events) or None
    async with aclosing(feed.subscribe(after, wanted, limit=limit)) as entries:
        async for entry in entries:
            if eyes.world is not world():
                eyes = eyes_of(world(), caller)
            for news in await show_all(db, eyes, [entry]):
                yield news
