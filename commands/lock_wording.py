"""Leases, places and holders in the words that people read."""

from __future__ import annotations

from commands.verb import Call
from core.clock import show_duration
from core.leases.lease import Holder, Lease, Ticket
from core.moments import show_moment, zone_of


def held_text(call: Call, lease: Lease) -> str:
    """What whoever locked something reads."""
    shared = " together with others" if lease.mode == "shared" else ""
    until = show_moment(lease.expires_at or 0, zone_of(call.principal, call.world.timezone))
    return f"{lease.lock_id}: you hold {', '.join(lease.resources)}{shared} until {until}"


def place_text(ticket: Ticket) -> str:
    """`2nd in the queue, about 12m`."""
    text = f"{ordinal(ticket.position)} in the queue"
    if ticket.expected_seconds is None:
        return text
    return f"{text}, about {show_duration(max(60.0, round(ticket.expected_seconds / 60) * 60.0))}"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ends.get(number % 10, 'th')}"


def name_of(call: Call, principal: str) -> str:
    """What people call that principal."""
    found = call.world.people.find(principal)
    return found.name if found is not None else principal


def holder_text(call: Call, holder: Holder) -> str:
    """`Bo Lind has env:prod (L7) until …: migration`."""
    text = f"{name_of(call, holder.principal)} has {', '.join(holder.resources)} ({holder.lock_id})"
    if holder.expires_at is None:
        text += ", closed: how its run ended is unknown"
    else:
        text += f" until {show_moment(holder.expires_at, zone_of(call.principal, call.world.timezone))}"
    return f"{text}: {holder.purpose}" if holder.purpose else text
