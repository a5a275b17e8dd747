"""Who is asked, and where: the copies that a request under review shall have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from core.approvals.approval import Approval
from core.approvals.rule import rule_of
from core.approvals.states import State
from core.people.directory import Principal
from core.policy.counting import barred_by, eligible
from core.policy.policy import Policy
from core.world import World
from hub.contracts import Adapter, Live

MOST_PEOPLE = 10
"""People who are asked one by one when the policy does not say whom to ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One place that shall show a copy; `recipient` is the person it is for, where it is for one."""

    channel: str
    address: str
    recipient: str | None = None


def targets(
    world: World,
    approval: Approval,
    adapters: Mapping[str, Adapter],
    works: Callable[[str], bool],
    dead: frozenset[tuple[str, str]] = frozenset(),
) -> list[Target]:
    """The places that shall show `approval`, each once, best known recipient first come.

    Under review these are the policy's `ask`, or by default each eligible person on the first working channel that
    they prefer, at most ten. Where it was asked from is always among them. The page needs no copy. A place among
    `dead` takes no message: whom it stood for is asked on the next channel that they prefer.
    """
    found = [*_origin(approval, adapters)]
    if approval.state is State.REVIEWING:
        policy = rule_of(world, approval)
        if policy is not None:
            people = _deciders(world, approval, policy)
            asked = list(_asked(policy, people, adapters)) if policy.ask else []
            lost = {each.recipient for each in asked if (each.channel, each.address) in dead}
            if None in lost:  # a place for several takes nothing: whoever is not asked by name elsewhere is asked so
                lost |= {each.id for each in people} - {each.recipient for each in asked}
            left = [each for each in people if each.id in lost] if policy.ask else people
            found += [*asked, *_preferred(left, adapters, works, dead)]
    found = [each for each in found if (each.channel, each.address) not in dead]
    places = {(each.channel, each.address): each for each in reversed(found)}
    return [each for each in found if places.pop((each.channel, each.address), None) is not None]


def places(world: World, channel: str) -> tuple[str, ...]:
    """The addresses on `channel` that a policy's `ask` names, each once."""
    named = (wish.partition(":") for policy in world.policies for wish in policy.ask)
    return tuple(dict.fromkeys(address for name, _, address in named if name == channel and address))


def _origin(approval: Approval, adapters: Mapping[str, Adapter]) -> Iterator[Target]:
    adapter = adapters.get(approval.channel)
    if adapter is not None and approval.address and not isinstance(adapter, Live):
        yield Target(channel=approval.channel, address=approval.address)


def _deciders(world: World, approval: Approval, policy: Policy) -> list[Principal]:
    """Everybody who could fill a seat, in order of their ids."""
    barred = barred_by(approval.requester, approval.owners, world.people)
    return sorted(
        (each for each in world.people if eligible(policy, each.id, world.people, barred)), key=lambda each: each.id
    )


def _asked(policy: Policy, people: list[Principal], adapters: Mapping[str, Adapter]) -> Iterator[Target]:
    """What `ask` names: `channel:address`, a channel with a place of its own, or each eligible person there."""
    for wish in policy.ask:
        name, _, address = wish.partition(":")
        adapter = adapters.get(name)
        if adapter is None or isinstance(adapter, Live):
            continue
        place = address or adapter.powers.address
        if place is not None:
            yield Target(channel=name, address=place)
        else:
            yield from (found for each in people if (found := _reach(name, adapter, each)))


def _preferred(
    people: list[Principal],
    adapters: Mapping[str, Adapter],
    works: Callable[[str], bool],
    dead: frozenset[tuple[str, str]],
) -> Iterator[Target]:
    """Each person once, on the first channel that works; nobody who says no preference is left out."""
    for person in people[:MOST_PEOPLE]:
        names = person.prefer or tuple(name for name, each in adapters.items() if each.powers.addresses_people)
        usable = [name for name in names if name in adapters and not isinstance(adapters[name], Live)]
        places = [found for name in usable if (found := _reach(name, adapters[name], person))]
        living = [each for each in places if (each.channel, each.address) not in dead]
        chosen = next((each for each in living if works(each.channel)), None) or next(iter(living), None)
        if chosen is not None:
            yield chosen


def _reach(name: str, adapter: Adapter, person: Principal) -> Target | None:
    address = adapter.address_of(person.identities, person.email)
    return None if address is None else Target(channel=name, address=address, recipient=person.id)
