"""What a trigger would do, worked out as it would be and not done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.approvals.proposal import propose
from core.clock import from_us
from core.errors import Invalid, NotFound, Refusal
from core.people.assurance import Assurance
from core.people.directory import Principal
from core.store.database import Database
from core.store.rows import Reader
from core.triggers.depth import depth_of
from core.triggers.matching import Wanted, wanted
from core.triggers.past import LOOKED_BACK, latest
from core.triggers.standing import MOST_DEPTH, acted, standings
from core.world import Trigger, World
from hub.feed import read_after
from hub.triggering import acts, of_entry, of_message, principal_of, see

MOST_TRIED = 50
"""Entries that are tried for one on which it would act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a hook could be sent."""

    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


async def rehearse(db: Database, world: World, name: str, on: int | Message | None) -> dict[str, Any]:
    """What the trigger would do on that entry of the log, or on that message; nothing is done.

    With None it is the last entry on which it would act; where there is none, the last one that it looks at.
    Raises NotFound; Invalid for a message to a trigger that follows the log, and the other way round.
    """
    trigger = world.triggers.get(name)
    if trigger is None:
        raise NotFound("not_found", f"there is no trigger {name[:60]}")
    hooked = any(each.startswith("hook:") and each != "hook:refused" for each in trigger.on)
    if hooked != isinstance(on, Message):
        needed = "a message to its hook: `body`" if hooked else "an entry of the log: `seq`"
        raise Invalid("invalid_request", f"{name} is tried on {needed}")
    return await db.read(_rehearse, world, trigger, on)


def _rehearse(reader: Reader, world: World, trigger: Trigger, on: int | Message | None) -> dict[str, Any]:
    principal = principal_of(world, trigger)
    if isinstance(on, Message):
        found = _on_message(reader, trigger, on)
    elif on is not None:
        found = _on_entry(reader, world, trigger, principal, on)
    else:
        found = _on_the_last(reader, world, trigger, principal)
    ask: Wanted | None = found.pop("ask")
    return {
        "trigger": trigger.name,
        **found,
        "matches": ask is not None,
        "held_back": _held_back(reader, trigger, found["depth"]),
        "as": trigger.principal,
        "request": ask.args if ask is not None else None,
        **_answered(reader, world, principal, ask),
    }


def _on_message(reader: Reader, trigger: Trigger, message: Message) -> dict[str, Any]:
    seen = {"body": message.body, "headers": message.headers, "now": from_us(reader.now_us)}
    (event,) = trigger.on
    judged = _judged(trigger, lambda: seen, why=of_message(event))
    return {"seq": None, "event": event, "looks": True, "depth": 0, **judged}


def _on_the_last(reader: Reader, world: World, trigger: Trigger, principal: Principal) -> dict[str, Any]:
    tried = (
        _on_entry(reader, world, trigger, principal, seq) for seq in latest(reader, sorted(trigger.on), MOST_TRIED)
    )
    first = None
    for found in tried:
        first = first or found
        if found["ask"] is not None:
            return found
    if first is None:
        raise NotFound("not_found", f"none of the last {LOOKED_BACK:,} entries is one that {trigger.name} looks at")
    return first


def _on_entry(reader: Reader, world: World, trigger: Trigger, principal: Principal, seq: int) -> dict[str, Any]:
    entries = read_after(reader, seq - 1, 1)
    if not entries or entries[0].seq != seq:
        raise NotFound("not_found", f"there is no entry {seq}")
    (entry,) = entries
    looks = entry.event in trigger.on
    judged = {"ask": None, "error": None}
    if looks:
        judged = _judged(trigger, lambda: see(reader, world, principal, entry).variables, why=of_entry(trigger, entry))
    return {"seq": seq, "event": entry.event, "looks": looks, "depth": depth_of(reader, entry), **judged}


def _judged(trigger: Trigger, look: Callable[[], Mapping[str, Any]], *, why: str) -> dict[str, Any]:
    """What it wants of what it sees, or in which words it fails."""
    try:
        return {"ask": wanted(trigger, look(), why=why), "error": None}
    except Refusal as refusal:
        return {"ask": None, "error": refusal.message}


def _held_back(reader: Reader, trigger: Trigger, depth: int) -> str | None:
    """What would stop it now, although it matched."""
    if not acts(trigger, standings(reader).get(trigger.name)):
        return "disabled"
    if depth >= MOST_DEPTH:
        return "depth"
    return "rate" if acted(reader, trigger) >= trigger.most else None


def _answered(reader: Reader, world: World, principal: Principal, ask: Wanted | None) -> dict[str, Any]:
    """What the request would be called and under which policy, or in which words it would be refused."""
    answered: dict[str, Any] = {"title": None, "policy": None, "allowed": None, "refused": None}
    if ask is None:
        return answered
    try:
        proposal = propose(
            world,
            action=ask.action,
            params=ask.params,
            requester=principal,
            channel="trigger",
            assurance=Assurance.CHAT,
            now_us=reader.now_us,
            seal=lambda _context, _value: b"",  # it is made and thrown away
        )
    except Refusal as refusal:
        return {**answered, "refused": {"code": refusal.code, "message": refusal.message}}
    return {**answered, "title": proposal.title, "policy": proposal.policy.name, "allowed": proposal.policy.allow}
