"""Lists of approvals by their numbers: everything in some states, or what concerns one person.

Each list is a merge of streams, and each stream is read a page at a time from an index that gives its rows in order, so
that a page costs the same among a hundred open requests and among a hundred thousand. SQL leaves out what it can tell to
be none of the viewer's; `may_see` and `concerns`, which know the policies, have the last word on what is left.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

from sqlalchemy import bindparam, exists, literal_column, or_, select

from core.approvals.approval import Approval, from_row
from core.approvals.decision import decisions, votes
from core.approvals.delegation import in_force, proxies
from core.approvals.proposal import visible
from core.approvals.rule import ballot_of
from core.approvals.seeing import may_see
from core.approvals.states import ENDED, OPEN, State
from core.people.directory import Kind, Principal
from core.policy.ballot import Ballot
from core.policy.policy import Policy
from core.policy.proxy import voices
from core.store import schema
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.world import World

Order = Literal["newest", "oldest"]
"""What comes first."""

_PAGE = 50
_BEFORE_ALL: Mapping[Order, int] = {"newest": 2**62, "oldest": 0}
_T, _D = schema.approval, schema.decision
_UNDER_WAY = OPEN | {State.APPLYING, State.ROLLING_BACK}


def listing(
    reader: Reader,
    world: World,
    *,
    viewer: Principal,
    state: str | None = None,
    mine: bool = False,
    requester: str | None = None,
    action: str | None = None,
    order: Order = "newest",
    past: int | None = None,
    limit: int = 50,
) -> list[Approval]:
    """Approvals that `viewer` may see, in that order, those that come after the number `past`.

    `state` is one state, or `open`, `ended` or `all`. `mine` means those that the viewer asked for or can decide now;
    `requester` and `action` leave out all others.
    """
    streams = _mine(reader, world, viewer, _states(state)) if mine else _seen(world, viewer, _states(state))
    streams = _narrowed(_narrowed(streams, "requester", requester), "action", action)
    begin = past if past is not None else _BEFORE_ALL[order]
    sign = 1 if order == "oldest" else -1
    found: list[Approval] = []
    last = None
    rows = (each.rows(reader, order, begin, limit) for each in streams)
    for number, row in heapq.merge(*rows, key=lambda each: sign * each[0]):
        if number == last:
            continue
        last = number
        approval = from_row(row)
        if may_see(world, viewer, approval) and (not mine or concerns(reader, world, viewer, approval)):
            found.append(approval)
            if len(found) == limit:
                break
    return found


def concerns(reader: Reader, world: World, viewer: Principal, approval: Approval) -> bool:
    """Whether the viewer asked for it, or is somebody whose decision it waits for."""
    if viewer.id == approval.requester:
        return True
    ballot = ballot_of(world, approval)
    if ballot is None or approval.state is not State.REVIEWING or viewer.id in ballot.barred:
        return False
    given = decisions(reader, approval.id, approval.revision)
    if any(each.by == viewer.id for each in given):
        return False
    lent = [each for each in proxies(reader, approval.action) if each.delegate == viewer.id]
    return bool(voices(ballot, viewer.id, "approve", votes=votes(reader, approval, given), proxies=lent))


def _narrowed(streams: list[_Stream], column: str, value: str | None) -> list[_Stream]:
    """The streams with that column's value alone; None for any."""
    if value is None:
        return streams
    return [replace(s, equal={**s.equal, column: value}) for s in streams if s.equal.get(column, value) == value]


def _states(state: str | None) -> frozenset[State]:
    """The states of that name; every state for None."""
    named = {None: frozenset(State), "all": frozenset(State), "open": _UNDER_WAY, "ended": ENDED}
    known = named.get(state)
    return known if known is not None else frozenset({State(str(state).upper())})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stream:
    """Rows whose columns have some values, in the order of their ids."""

    equal: Mapping[str, str] = field(default_factory=dict)
    """Column -> value: what an index leads to."""
    unlike: tuple[str, ...] = ()
    """Requesters who are left out."""
    quiet: tuple[str, ...] = ()
    """People who have not decided."""
    agreed: str | None = None
    """Somebody who has approved."""
    hidden: tuple[str, ...] = ()
    """Actions that are left out unless the viewer is concerned otherwise."""
    viewer: str = ""
    seats: tuple[str, ...] = ()
    """Policies under which the viewer may see them."""

    def rows(self, reader: Reader, order: Order, past: int, limit: int) -> Iterator[tuple[int, Row]]:
        """(id, row) of each; a page is read when the one before was used up."""
        counts = len(self.unlike), len(self.quiet), len(self.hidden), len(self.seats)
        statement = _statement(order, tuple(self.equal), self.agreed is not None, counts)
        values = {**self.equal, **_numbered("unlike", self.unlike), **_numbered("quiet", self.quiet)}
        if self.agreed is not None:
            values["agreed"] = self.agreed
        if self.hidden:
            values |= {"viewer": self.viewer, "owned": f'%"{self.viewer}"%'}
            values |= {**_numbered("hidden", self.hidden), **_numbered("seat", self.seats)}
        most = min(_PAGE, limit)
        while page := reader.all(statement, past=past, most=most, **values):
            for row in page:
                yield row["id"], row
            if len(page) < most:
                return
            past, most = page[-1]["id"], _PAGE


@cache
def _statement(order: Order, equal: tuple[str, ...], agreed: bool, counts: tuple[int, int, int, int]) -> Statement:
    unlike, quiet, hidden, seats = counts
    wanted = [_T.c[column] == bindparam(column) for column in equal]
    past: Any = bindparam("past")
    wanted.append(_T.c.id > past if order == "oldest" else _T.c.id < past)
    wanted += [_T.c.requester != each for each in _bound("unlike", unlike)]
    wanted += [~_has_decided(each) for each in _bound("quiet", quiet)]
    if agreed:
        wanted.append(_has_decided(bindparam("agreed"), _D.c.verdict == literal_column("'approve'")))
    if hidden:
        known = [_T.c.requester == bindparam("viewer"), _T.c.owners.like(bindparam("owned"))]
        known += [_T.c.policy == each for each in _bound("seat", seats)]
        wanted.append(or_(_T.c.action.not_in(_bound("hidden", hidden)), *known))
    by = _T.c.id.asc() if order == "oldest" else _T.c.id.desc()
    return Statement(select(_T).where(*wanted).order_by(by).limit(bindparam("most")))


def _has_decided(who: Any, *more: Any) -> Any:
    own = _D.c.on_behalf_of.is_(None)
    return exists().where(_D.c.approval == _T.c.id, _D.c.revision == _T.c.revision, _D.c.by == who, own, *more)


def _bound(name: str, count: int) -> list[Any]:
    return [bindparam(f"{name}{at}") for at in range(count)]


def _numbered(name: str, values: Sequence[str]) -> dict[str, str]:
    return {f"{name}{at}": value for at, value in enumerate(values)}


def _seen(world: World, viewer: Principal, states: frozenset[State]) -> list[_Stream]:
    """Everything in those states that the viewer may know of."""
    policies, actions = _seats(world, viewer.id)
    hidden = [name for name, action in world.actions.items() if not visible(action, viewer) and name not in actions]
    policies += [each.name for each in world.policies if viewer.groups.intersection(each.veto)]
    common = _Stream(hidden=tuple(sorted(hidden)), viewer=viewer.id, seats=tuple(sorted(set(policies))))
    if states == frozenset(State):
        return [common]
    return [replace(common, equal={"state": str(each)}) for each in sorted(states)]


def _mine(reader: Reader, world: World, viewer: Principal, states: frozenset[State]) -> list[_Stream]:
    """What the viewer asked for in those states, and what they might decide on."""
    own = {"requester": viewer.id}
    if states == frozenset(State):
        streams = [_Stream(equal=own)]
    else:
        streams = [_Stream(equal={**own, "state": str(each)}) for each in sorted(states)]
    if State.REVIEWING in states and viewer.kind is Kind.PERSON:
        barred = sorted({viewer.id, *(each.id for each in world.people if viewer.id in each.owners)})
        streams += _waiting(reader, world, viewer.id, tuple(barred))
    return streams


def _waiting(reader: Reader, world: World, viewer: str, barred: tuple[str, ...]) -> list[_Stream]:
    """What is under review where the viewer could fill a seat, their own or that of somebody who delegated to them."""
    common = _Stream(unlike=barred, quiet=(viewer,))
    streams = [replace(common, equal=each) for each in _places(world, viewer)]
    for lent in in_force(reader):
        if lent.lends and lent.delegate == viewer:
            agreed = lent.condition if lent.condition != viewer else None
            theirs = replace(common, quiet=(viewer, lent.delegator), agreed=agreed)
            streams += [replace(theirs, equal=each) for each in _places(world, lent.delegator, lent.actions)]
    return streams


def _places(world: World, person: str, only: Collection[str] | None = None) -> Iterator[dict[str, str]]:
    """Column -> value of what is under review and has a seat for `person`; None for every action."""
    policies, reviewed = _seats(world, person)
    waits = {"state": str(State.REVIEWING)}
    for policy in policies:
        if only is None:
            yield {**waits, "policy": policy}
        else:
            yield from ({**waits, "policy": policy, "action": action} for action in only)
    yield from ({**waits, "action": action} for action in reviewed if only is None or action in only)


def _seats(world: World, person: str) -> tuple[list[str], list[str]]:
    """The policies that have a seat for `person`, and the actions that add one."""
    nobody: frozenset[str] = frozenset()
    policies = [each.name for each in world.policies if Ballot(each, world.people, nobody).eligible(person)]
    actions = [
        name
        for name, action in world.actions.items()
        if action.reviewers
        and Ballot(Policy(name=name, require=action.reviewers), world.people, nobody).eligible(person)
    ]
    return policies, actions
