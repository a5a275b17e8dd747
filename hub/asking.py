"""Who is asked, and where: the copies that a request under review shall have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.approvals.approval import Approval
from core.approvals.glass import concerned
from core.approvals.nudge import asked_as_well
from core.approvals.rule import ballot_of
from core.approvals.states import State
from core.people.directory import Principal
from core.policy.ballot import Ballot, Vote
from core.policy.policy import Policy
from core.policy.proxy import Proxy, silent
from core.policy.who import could_help
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
    *,
    away: Collection[str] = (),
    proxies: Sequence[Proxy] = (),
) -> list[Target]:
    """The places that shall show `approval`, each once, best known recipient first come.

    Under review these are the policy's `ask`, or by default each eligible person on the first working channel that
    they prefer, at most ten. Where it was asked from is always among them. The page needs no copy. A place among
    `dead` takes no message: whom it stood for is asked on the next channel that they prefer. Nobody who is `away` is
    asked; of `proxies` those that could speak for them are.
    """
    found = [*_origin(approval, adapters)]
    if approval.glass:
        found += _told(world, approval, adapters, works, dead)
    if approval.state is State.REVIEWING:
        ballot = ballot_of(world, approval)
        if ballot is not None:
            policy = ballot.policy
            people = asked_people(ballot, away, proxies)
            asked = list(_asked(policy, people, adapters)) if policy.ask else []
            lost = {each.recipient for each in asked if (each.channel, each.address) in dead}
            if None in lost:  # a place for several takes nothing: whoever is not asked by name elsewhere is asked so
                lost |= {each.id for each in people} - {each.recipient for each in asked}
            left = [each for each in people if each.id in lost] if policy.ask else people
            more = [one for each in asked_as_well(world, approval, policy) if (one := world.people.find(each))]
            found += [*asked, *_preferred(left, adapters, works, dead), *_preferred(more, adapters, works, dead)]
    found = [each for each in found if (each.channel, each.address) not in dead]
    places = {(each.channel, each.address): each for each in reversed(found)}
    return [each for each in found if places.pop((each.channel, each.address), None) is not None]


def places(world: World, channel: str) -> tuple[str, ...]:
    """The places on `channel` that a policy's `ask` names, each once; a group is none."""
    named = (wish.partition(":") for policy in world.policies for wish in policy.ask)
    found = (address for name, _, address in named if name == channel and address and address[0] != "@")
    return tuple(dict.fromkeys(found))


def sources(world: World, channel: str) -> tuple[str, ...]:
    """The groups of the channel from which hub.yaml takes members, each once."""
    named = (source.partition(":") for source in world.groups_from.values())
    return tuple(dict.fromkeys(group for name, _, group in named if name == channel))


def _origin(approval: Approval, adapters: Mapping[str, Adapter]) -> Iterator[Target]:
    adapter = adapters.get(approval.channel)
    if adapter is not None and approval.address and not isinstance(adapter, Live):
        yield Target(channel=approval.channel, address=approval.address)


def asked_people(ballot: Ballot, away: Collection[str], proxies: Sequence[Proxy]) -> list[Principal]:
    """Everybody who could fill a seat and is not away, then who could speak for those who are, each once.

    A delegate who is away is not asked in turn for anybody: nobody's delegate speaks for two removes.
    """
    people = {each: each not in away for each in ballot.candidates() if ballot.eligible(each)}
    found = [each for each, there in people.items() if there]
    for proxy in proxies:
        absent = people.get(proxy.delegator) is False
        if absent and proxy.when is None and proxy.delegate not in away and silent(ballot, proxy, ()) is None:
            found.append(proxy.delegate)
    known = (ballot.directory.find(each) for each in dict.fromkeys(found))
    return [each for each in known if each is not None]


def still_wanted(
    ballot: Ballot, votes: Sequence[Vote], away: Collection[str], proxies: Sequence[Proxy]
) -> list[Principal]:
    """Those who are asked and whose own approval, or that of whom they stand in for, is missing after `votes`."""
    people = asked_people(ballot, away, proxies)
    helping = set(could_help(ballot, votes, len(ballot.candidates())))
    said = {vote.person for vote in votes if vote.on_behalf_of is None}
    for proxy in proxies:
        stands_in = proxy.delegator in away and proxy.delegator in helping and proxy.delegate not in said
        if stands_in and silent(ballot, proxy, votes) is None:
            helping.add(proxy.delegate)
    return [each for each in people if each.id in helping]


def asked_for(ballot: Ballot, person: str, away: Collection[str], proxies: Sequence[Proxy]) -> list[str]:
    """Those who are away and for whom `person` is asked, by id."""
    return [
        proxy.delegator
        for proxy in proxies
        if proxy.delegate == person
        and proxy.delegator in away
        and proxy.when is None
        and silent(ballot, proxy, ()) is None
    ]


def _told(
    world: World,
    approval: Approval,
    adapters: Mapping[str, Adapter],
    works: Callable[[str], bool],
    dead: frozenset[tuple[str, str]],
) -> Iterator[Target]:
    """Where everybody is told whom a break-glass concerns: what `ask` names, and each of them, however many, away or not."""
    ballot = ballot_of(world, approval)
    if ballot is None:
        return
    people = concerned(ballot, approval)
    asked = [each for each in _asked(ballot.policy, people, adapters) if (each.channel, each.address) not in dead]
    yield from asked
    reached = {each.recipient for each in asked}
    left = [each for each in people if each.id not in reached]
    yield from _preferred(left, adapters, works, dead, most=None)


def _asked(policy: Policy, people: list[Principal], adapters: Mapping[str, Adapter]) -> Iterator[Target]:
    """What `ask` names: `channel:address`, a channel with a place of its own, or each eligible person there.

    `channel:@group` is each of them who is in the group.
    """
    for wish in policy.ask:
        name, _, address = wish.partition(":")
        adapter = adapters.get(name)
        if adapter is None or isinstance(adapter, Live):
            continue
        place = address or adapter.powers.address
        if address.startswith("@"):
            group = [each for each in people if address[1:] in each.groups]
            yield from (found for each in group if (found := _reach(name, adapter, each)))
        elif place is not None:
            yield Target(channel=name, address=place)
        else:
            yield from (found for each in people if (found := _reach(name, adapter, each)))


def preferred(
    person: Principal,
    adapters: Mapping[str, Adapter],
    works: Callable[[str], bool],
    dead: frozenset[tuple[str, str]],
) -> Target | None:
    """Where that person is reached: on the first channel that they prefer and that works; None where nowhere."""
    return next(_preferred([person], adapters, works, dead), None)


def _preferred(
    people: list[Principal],
    adapters: Mapping[str, Adapter],
    works: Callable[[str], bool],
    dead: frozenset[tuple[str, str]],
    most: int | None = MOST_PEOPLE,
) -> Iterator[Target]:
    """Each person once, on the first channel that works; nobody who says no preference is left out."""
    for person in people[:most]:
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
