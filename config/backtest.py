"""Other policies over the requests of the past: what would have been treated otherwise, and who would be asked more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from config import past
from core.approvals.glass import demand_may_break
from core.approvals.proposal import wished
from core.audit.entry import Entry
from core.clock import rfc3339
from core.errors import Refusal
from core.people.assurance import Assurance
from core.people.directory import Principal
from core.policy.ballot import Ballot
from core.policy.counting import barred_by, could_satisfy
from core.policy.policy import Policy
from core.store.rows import Reader
from core.world import World

MOST_LISTED = 10_000
"""Requests treated otherwise that are listed; all of them are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """How a request is treated: which policy, which seats, or why it is refused."""

    policy: str
    seats: tuple[str, ...]
    groups: frozenset[str]
    """The groups that have a seat."""
    asked: frozenset[str]
    """Everybody who could fill one."""
    glass: bool = False
    """Whether it runs at once, by break-glass."""

    @property
    def words(self) -> str:
        if self.glass:
            return f"{self.policy}: break-glass"
        return f"{self.policy}: {', '.join(self.seats) or 'nobody'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One request that would be treated otherwise."""

    approval: str
    at: str
    action: str
    by: str
    before: str
    after: str


@dataclass(slots=True, kw_only=True)
class Load:
    """How often each was asked under one configuration."""

    people: Counter[str] = field(default_factory=Counter)
    groups: Counter[str] = field(default_factory=Counter)
    """Group -> how many requests had a seat for it."""
    nobody: int = 0
    """Requests that were allowed with nobody asked."""
    glass: int = 0
    """Requests that were run by break-glass."""

    def add(self, treated: Treatment | None) -> None:
        """Count one request; None for one that is refused."""
        if treated is not None:
            self.people.update(treated.asked)
            self.groups.update(treated.groups)
            self.nobody += not treated.seats and not treated.glass
            self.glass += treated.glass


@dataclass(slots=True, kw_only=True)
class Backtest:
    """What was found."""

    replayed: int = 0
    changed: int = 0
    listed: list[Change] = field(default_factory=list)
    """The first of those that changed."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Why a request could not be replayed -> how many."""
    granted: int = 0
    """Those replayed that a grant had approved: nobody was asked, and under another policy people would be."""
    before: Load = field(default_factory=Load)
    after: Load = field(default_factory=Load)

    @property
    def people(self) -> list[tuple[str, int, int]]:
        """(person, asked before, asked after) of everybody for whom that differs, most of a difference first."""
        return _differing(self.before.people, self.after.people)

    @property
    def groups(self) -> list[tuple[str, int, int]]:
        """The same of groups."""
        return _differing(self.before.groups, self.after.groups)


def _differing(before: Counter[str], after: Counter[str]) -> list[tuple[str, int, int]]:
    rows = [(each, before[each], after[each]) for each in before.keys() | after.keys()]
    return sorted((row for row in rows if row[1] != row[2]), key=lambda row: (-abs(row[2] - row[1]), row[0]))


def backtest(
    reader: Reader,
    before: World,
    after: World,
    *,
    since_us: int = 0,
    progress: Callable[[int, int], object] = lambda done, all: None,
) -> Backtest:
    """Every recorded request since then under both configurations, with the people of each.

    A request is replayed as it was first made: requester, parameters, channel, assurance and time are the log's. What
    was refused when it was asked for left no parameters, so it is only counted.
    """
    found, now, then = Backtest(), _Rules(before), _Rules(after)
    granted = past.by_grant(reader)
    for asked in past.asked(reader, since_us=since_us, progress=progress):
        if asked.refused is not None:
            found.skipped[f"it was refused when it was asked for: {asked.refused}"] += 1
        elif asked.params is None:
            found.skipped["its parameters were erased"] += 1
        else:
            replayed = _replay(found, now, then, asked.entry, asked.params)
            found.granted += replayed and asked.entry.subject in granted
    return found


def _replay(found: Backtest, before: _Rules, after: _Rules, entry: Entry, params: dict[str, Any]) -> bool:
    """Whether the request could be replayed; how it is treated is counted."""
    was, why = before.treat(entry, params)
    if was is None:
        found.skipped[f"the configuration of now: {why}"] += 1
        return False
    then, why = after.treat(entry, params)
    found.replayed += 1
    found.before.add(was)
    found.after.add(then)
    if then is not None and (was.policy, was.seats, was.asked) == (then.policy, then.seats, then.asked):
        return True
    found.changed += 1
    if len(found.listed) < MOST_LISTED:
        found.listed.append(
            Change(
                approval=entry.subject or "",
                at=rfc3339(entry.ts),
                action=str(entry.details.get("action")),
                by=entry.actor or "",
                before=was.words,
                after=then.words if then is not None else f"refused: {why}",
            )
        )
    return True


class _Rules:
    """One configuration, and how it treats requests; what it says once of a policy, an action and a requester stands."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[tuple[str, str, str], tuple[Treatment | None, str]] = {}

    def treat(self, entry: Entry, params: dict[str, Any]) -> tuple[Treatment | None, str]:
        """The treatment, or why there is none."""
        world = self._world
        requester = world.people.find(entry.actor or "")
        if requester is None:
            return None, "who asked is no longer in it"
        name = str(entry.details.get("action"))
        action = world.actions.get(name)
        secrets = {param.name: "x" for param in action.params if param.secret} if action else {}
        try:
            policy = wished(
                world,
                action=name,
                params={**params, **secrets},
                requester=requester,
                channel=entry.channel or "",
                assurance=Assurance.parse(str(entry.details.get("assurance"))),
                now_us=entry.ts,
            ).policy
        except Refusal as refusal:
            return None, refusal.code
        if entry.details.get("glass"):
            return _broken(world, policy, requester, Assurance.parse(str(entry.details.get("assurance"))))
        key = policy.name, name, requester.id
        if key not in self._known:
            self._known[key] = _treatment(world, policy, requester)
        return self._known[key]


def _treatment(world: World, policy: Policy, requester: Principal) -> tuple[Treatment | None, str]:
    barred = barred_by(requester.id, requester.owners, world.people)
    if not could_satisfy(policy, world.people, barred).possible:
        return None, "unsatisfiable"
    ballot = Ballot(policy, world.people, barred)
    return Treatment(
        policy=policy.name,
        seats=tuple(each.label for each in policy.require),
        groups=frozenset(each.group for each in policy.require if each.group is not None),
        asked=frozenset(each for each in ballot.candidates() if ballot.eligible(each)),
    ), ""


def _broken(world: World, policy: Policy, requester: Principal, assurance: Assurance) -> tuple[Treatment | None, str]:
    """How what was run by break-glass is treated: the same, or refused."""
    barred = barred_by(requester.id, requester.owners, world.people)
    try:
        demand_may_break(Ballot(policy, world.people, barred), requester, assurance)
    except Refusal as refusal:
        return None, refusal.code
    return Treatment(policy=policy.name, seats=(), groups=frozenset(), asked=frozenset(), glass=True), ""
