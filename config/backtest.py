"""Other policies over the requests of the past: what would have been treated otherwise, and who would be asked more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import bindparam, select

from core.approvals.proposal import propose
from core.audit.entry import Entry, decode
from core.clock import rfc3339
from core.errors import Refusal
from core.people.assurance import Assurance
from core.people.directory import Principal
from core.policy.ballot import Ballot
from core.policy.counting import barred_by
from core.policy.policy import Policy
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.world import World

_PAGE = 500
_LOG, _VALUE = schema.log, schema.log_value
_REQUESTS = Statement(
    select(_LOG.c.seq, _LOG.c.entry)
    .where(_LOG.c.event == "approval:requested", _LOG.c.seq > bindparam("after"))
    .order_by(_LOG.c.seq)
    .limit(_PAGE)
)
_PARAMS = Statement(select(_VALUE.c.value).where(_VALUE.c.seq == bindparam("seq"), _VALUE.c.field == "params"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """How a request is treated: which policy, which seats, or why it is refused."""

    policy: str
    seats: tuple[str, ...]
    asked: frozenset[str]
    """Everybody who could fill a seat."""

    @property
    def words(self) -> str:
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
class Backtest:
    """What was found."""

    replayed: int = 0
    changed: list[Change] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """Why a request could not be replayed -> how many."""
    asked_before: Counter[str] = field(default_factory=Counter)
    asked_after: Counter[str] = field(default_factory=Counter)

    @property
    def asks(self) -> list[tuple[str, int, int]]:
        """(person, asked before, asked after) of everybody for whom that differs, most of a difference first."""
        people = self.asked_before.keys() | self.asked_after.keys()
        rows = [(each, self.asked_before[each], self.asked_after[each]) for each in people]
        return sorted((row for row in rows if row[1] != row[2]), key=lambda row: (-abs(row[2] - row[1]), row[0]))


def backtest(reader: Reader, before: World, after: World, *, since_us: int = 0) -> Backtest:
    """Every recorded request since then under both configurations, with the people of each.

    A request is replayed as it was first made: requester, parameters, channel, assurance and time are the log's.
    """
    found = Backtest()
    for entry in _requests(reader):
        if entry.ts < since_us:
            continue
        row = reader.one(_PARAMS, seq=entry.seq)
        if row is None:
            found.skipped["its parameters were erased"] += 1
            continue
        params: dict[str, Any] = orjson.loads(bytes(row["value"]))
        was, why = _treated(before, entry, params)
        if was is None:
            found.skipped[f"the configuration of now: {why}"] += 1
            continue
        then, why = _treated(after, entry, params)
        found.replayed += 1
        found.asked_before.update(was.asked)
        found.asked_after.update(then.asked if then is not None else ())
        if then is None or (was.policy, was.seats, was.asked) != (then.policy, then.seats, then.asked):
            found.changed.append(
                Change(
                    approval=entry.subject or "",
                    at=rfc3339(entry.ts),
                    action=str(entry.details.get("action")),
                    by=entry.actor or "",
                    before=was.words,
                    after=then.words if then is not None else f"refused: {why}",
                )
            )
    return found


def _requests(reader: Reader) -> Iterator[Entry]:
    after = 0
    while rows := reader.all(_REQUESTS, after=after):
        for row in rows:
            yield decode(bytes(row["entry"]))
        after = rows[-1]["seq"]


def _treated(world: World, entry: Entry, params: dict[str, Any]) -> tuple[Treatment | None, str]:
    requester = world.people.find(entry.actor or "")
    if requester is None:
        return None, "who asked is no longer in it"
    action = world.actions.get(str(entry.details.get("action")))
    secrets = {param.name: "x" for param in action.params if param.secret} if action else {}
    try:
        proposal = propose(
            world,
            action=str(entry.details.get("action")),
            params={**params, **secrets},
            requester=requester,
            channel=entry.channel or "",
            assurance=Assurance.parse(str(entry.details.get("assurance"))),
            now_us=entry.ts,
            seal=lambda context, value: b"",
        )
    except Refusal as refusal:
        return None, refusal.code
    return _treatment(world, proposal.policy, requester), ""


def _treatment(world: World, policy: Policy, requester: Principal) -> Treatment:
    ballot = Ballot(policy, world.people, barred_by(requester.id, requester.owners, world.people))
    return Treatment(
        policy=policy.name,
        seats=tuple(each.label for each in policy.require),
        asked=frozenset(each for each in ballot.candidates() if ballot.eligible(each)),
    )
