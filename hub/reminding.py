"""Reminders: those who can still act are told again, once a reminder, on a channel where an edited card tells nobody.

Which reminder a copy carried last is stored before the channel is asked to carry it, so that a second attempt, a
restart and another node find it taken. One whose fate nobody knows is not carried again: the next one will come.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from core.approvals.approval import Approval
from core.approvals.backing import backing
from core.approvals.delegation import away, proxies
from core.approvals.glass import may_review
from core.approvals.nudge import told_times
from core.approvals.owed import owed_to
from core.approvals.rule import ballot_of
from core.approvals.states import State
from core.people.directory import Principal
from core.policy.ballot import Ballot
from core.store.database import Database
from core.store.rows import Reader
from core.world import World
from hub import outbox
from hub.asking import MOST_PEOPLE, still_wanted
from hub.contracts import DeliveryFailed, Post, Reminded, Reminder, Reminding
from hub.outbox import Copy

logger = logging.getLogger("interlock.delivery")


def reminder_of(reader: Reader, world: World, approval: Approval, copy: Copy) -> Reminder | None:
    """The newest reminder for those whom the copy is for and who can still act; None when there is none."""
    ballot = ballot_of(world, approval)
    if ballot is None:
        return None
    if approval.glass:
        return _of_review(reader, ballot, approval, copy)
    if approval.state is not State.REVIEWING:
        return None
    times = told_times(world, approval, ballot.policy, copy.recipient)
    wanted = still_wanted(ballot, backing(reader, approval), away(reader), proxies(reader, approval.action))
    return _reminder(copy, f"{approval.reviewing_at}.{times}", times, wanted)


def _of_review(reader: Reader, ballot: Ballot, approval: Approval, copy: Copy) -> Reminder | None:
    """The newest reminder of the review that is owed to what ran by break-glass, for those who could give it."""
    found = owed_to(reader, approval)
    if found is None or found.reviewed_at is not None:
        return None
    could = [each for each in ballot.directory if may_review(ballot, each.id)]
    reminder = _reminder(copy, f"review.{found.created_at}.{found.nags}", found.nags, could)
    return replace(reminder, wanted="review") if reminder is not None else None


def _reminder(copy: Copy, key: str, times: int, wanted: Sequence[Principal]) -> Reminder | None:
    people = [each for each in wanted if copy.recipient in (None, each.id)][:MOST_PEOPLE]
    if not times or not people:
        return None
    told = (Reminded(id=each.id, name=each.name, identity=each.identities.get(copy.channel)) for each in people)
    return Reminder(key=key, number=times, people=tuple(told))


async def carry(db: Database, adapter: Reminding, copy: Copy, post: Post, reference: str, seconds: float) -> str:
    """The post's reminder is carried, unless it was or may have been before; the reference from now on.

    Raises DeliveryFailed where the channel wants it later, and then it counts as not carried.
    """
    reminder = post.reminder
    if reminder is None or not await db.write(outbox.take_reminder, copy, reminder):
        return reference
    try:
        async with asyncio.timeout(seconds):
            return await adapter.remind(reference, post)
    except Exception as error:
        later = isinstance(error, DeliveryFailed) and error.throttled
        await db.write(outbox.drop_reminder, copy, reminder, str(error) or type(error).__name__, later)
        if later:
            raise
        logger.warning("a reminder of A%s to %s %s is lost: %s", copy.approval, copy.channel, copy.address, error)
        return reference
