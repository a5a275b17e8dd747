"""Delegations: people who let others decide in their place, for a while.

* Only people delegate, to people, and never to themselves; at most 30 days, at most 20 at a time.
* Chains are not followed: a delegate speaks for the delegator with no voice but that one, so that a delegate's
  delegate never does and a circle of delegations lends nobody anything.
* Whether a delegation is in force is asked at every count, by the store's time, also when a run starts. Ending one
  therefore silences its delegate at once, on requests that were approved and have not started too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import bindparam, func, insert, select, update

from core import ids
from core.clock import SECOND, rfc3339
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.people.assurance import Assurance, demand_assurance
from core.people.directory import HUB, Kind, Principal
from core.policy.proxy import Proxy
from core.store import schema
from core.store.encoding import dump, load
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World

LONGEST_SECONDS = 30 * 86_400
MOST = 20
"""Delegations in force that one person may have given."""

KindOf = Literal["delegate", "follow", "away"]

_T = schema.delegation
_FIND = Statement(select(_T).where(_T.c.id == bindparam("id")))
_OPEN = Statement(select(_T).where(_T.c.ended_at.is_(None), _T.c.until > bindparam("now")).order_by(_T.c.id))
_OVER = Statement(
    select(_T).where(_T.c.ended_at.is_(None), _T.c.until <= bindparam("now")).order_by(_T.c.id).limit(100)
)
_NEXT = Statement(select(func.min(_T.c.until).label("until")).where(_T.c.ended_at.is_(None)))
_NEW = Statement(insert(_T), tuple(column.name for column in _T.columns))
_END = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.ended_at.is_(None))
    .values(ended_at=bindparam("ended_at"), ended=bindparam("ended"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """One delegation as it is stored. Times are microseconds since 1970."""

    id: int
    delegator: str
    delegate: str
    kind: KindOf
    condition: str | None
    """Who must have approved as well, for `follow`."""
    assurance: int
    actions: tuple[str, ...] | None
    """The actions that it is for; None for all."""
    until: int
    created_at: int
    channel: str | None
    ended_at: int | None = None
    ended: str | None = None

    @property
    def name(self) -> str:
        """The id that people type: `D5`."""
        return ids.show("D", self.id)

    @property
    def lends(self) -> bool:
        """Whether somebody speaks for somebody by it."""
        return self.kind != "away"

    def covers(self, action: str) -> bool:
        """Whether it is for that action."""
        return self.actions is None or action in self.actions


_FIELDS = tuple(Delegation.__dataclass_fields__)


def _delegation(row: Row) -> Delegation:
    values = {name: row[name] for name in _FIELDS}
    actions = load(values["actions"])
    values["actions"] = tuple(actions) if actions is not None else None
    return Delegation(**values)


def find(reader: Reader, number: int) -> Delegation:
    """The delegation with that number. Raises NotFound."""
    row = reader.one(_FIND, id=number)
    if row is None:
        raise ids.missing("D", number)
    return _delegation(row)


def in_force(reader: Reader) -> list[Delegation]:
    """Every delegation that has neither ended nor expired, the oldest first."""
    return [_delegation(row) for row in reader.all(_OPEN, now=reader.now_us)]


def proxies(reader: Reader, action: str) -> list[Proxy]:
    """Who speaks for whom on requests for `action` now, the oldest delegation first."""
    return [
        Proxy(
            id=each.id,
            delegator=each.delegator,
            delegate=each.delegate,
            until=each.until,
            strength=Assurance(each.assurance),
            when=each.condition,
        )
        for each in in_force(reader)
        if each.lends and each.covers(action)
    ]


def away(reader: Reader) -> dict[str, int]:
    """Who is away now, and until when."""
    return {each.delegator: each.until for each in in_force(reader) if each.kind == "away"}


def delegate(
    tx: Tx,
    world: World,
    *,
    by: Principal,
    to: str,
    until: int,
    actions: Sequence[str] = (),
    when: str | None = None,
    channel: str,
    assurance: Assurance,
) -> Delegation:
    """`to` speaks for `by` until then; what `by` had said before about the same delegate and condition is replaced.

    Raises Forbidden (`not_a_person`, `assurance_too_low`), Invalid (`unknown_person`, `not_a_person`,
    `delegate_to_oneself`, `unknown_action`, `too_long`), Conflict `too_many`.
    """
    _demand_may(by, assurance)
    _demand_person(world, to)
    if to == by.id or when == by.id:
        raise Invalid("delegate_to_oneself", "you decide for yourself already; name somebody else")
    if when is not None:
        _demand_person(world, when)
    for action in actions:
        if action not in world.actions:
            raise Invalid("unknown_action", f"there is no action {action[:60]!r}")
    kind: KindOf = "follow" if when is not None else "delegate"
    mine = [each for each in in_force(tx) if each.delegator == by.id]
    for each in mine:
        if (each.kind, each.delegate, each.condition) == (kind, to, when):
            end(tx, each, by=by.id, channel=channel, why="replaced")
            mine.remove(each)
            break
    if len(mine) >= MOST:
        raise Conflict("too_many", f"you have {len(mine)} delegations; end one with `undelegate` first")
    return _create(tx, by, kind, to, until, tuple(dict.fromkeys(actions)) or None, when, channel, assurance)


def leave(tx: Tx, *, by: Principal, until: int, channel: str, assurance: Assurance) -> Delegation:
    """`by` is away until then: they are not asked, and whom they delegated to is asked for them.

    Raises Forbidden (`not_a_person`, `assurance_too_low`), Invalid `too_long`.
    """
    _demand_may(by, assurance)
    for each in in_force(tx):
        if each.delegator == by.id and each.kind == "away":
            end(tx, each, by=by.id, channel=channel, why="replaced")
    return _create(tx, by, "away", by.id, until, None, None, channel, assurance)


def end(tx: Tx, delegation: Delegation, *, by: str, channel: str | None, why: str) -> None:
    """The delegation has ended. Raises Conflict `ended` when it had already."""
    if tx.run(_END, w_id=delegation.id, ended_at=tx.now_us, ended=why) != 1:
        raise Conflict("ended", f"{delegation.name} has already ended")
    tx.record(
        "delegation:ended",
        actor=by,
        subject=delegation.name,
        channel=channel,
        details={"delegator": delegation.delegator, "delegate": delegation.delegate, "why": why},
    )


def revoke(tx: Tx, numbers: Iterable[int], *, by: Principal, channel: str) -> list[Delegation]:
    """These delegations have ended, each by who gave it or who got it. Raises NotFound for another's."""
    found = []
    for number in numbers:
        delegation = find(tx, number)
        if by.id not in (delegation.delegator, delegation.delegate):
            raise ids.missing("D", number)
        end(tx, delegation, by=by.id, channel=channel, why="revoked" if by.id == delegation.delegator else "declined")
        found.append(delegation)
    return found


def revoke_given(tx: Tx, *, by: Principal, to: str | None, channel: str) -> list[Delegation]:
    """Every delegation that `by` gave (to `to`) has ended, their being away too. Raises NotFound when there is none."""
    found = [each for each in in_force(tx) if each.delegator == by.id and to in (None, each.delegate)]
    if not found:
        raise NotFound("not_found", "you have given no delegation" + (f" to {to}" if to else ""))
    for each in found:
        end(tx, each, by=by.id, channel=channel, why="revoked")
    return found


def expire_delegations(tx: Tx) -> int:
    """Delegations whose time is over are ended, visibly; they had not counted since. How many, at most 100."""
    over = [_delegation(row) for row in tx.all(_OVER, now=tx.now_us)]
    for each in over:
        end(tx, each, by=HUB.id, channel=None, why="its time was over")
    return len(over)


def next_over(reader: Reader) -> int | None:
    """When the next delegation's time is over, in microseconds since 1970; None when there is none."""
    row = reader.one(_NEXT)
    return None if row is None else row["until"]


def delegation_json(delegation: Delegation) -> dict[str, Any]:
    """A delegation as programs see it; people by their ids."""
    return {
        "id": delegation.name,
        "kind": delegation.kind,
        "delegator": delegation.delegator,
        "delegate": delegation.delegate if delegation.lends else None,
        "when_approved_by": delegation.condition,
        "actions": list(delegation.actions) if delegation.actions is not None else None,
        "assurance": Assurance(delegation.assurance).word,
        "created_at": rfc3339(delegation.created_at),
        "until": rfc3339(delegation.until),
        "ended_at": rfc3339(delegation.ended_at) if delegation.ended_at is not None else None,
        "ended": delegation.ended,
    }


def _demand_may(by: Principal, assurance: Assurance) -> None:
    if by.kind is not Kind.PERSON:
        raise Forbidden("not_a_person", "agents and services ask; only people decide, and only they delegate")
    demand_assurance(assurance, Assurance.CHAT)


def _demand_person(world: World, name: str) -> None:
    found = world.people.find(name)
    if found is None:
        raise Invalid("unknown_person", f"there is nobody called {name[:60]!r} here")
    if found.kind is not Kind.PERSON:
        raise Invalid("not_a_person", f"{name} is no person; only people decide")


def _create(
    tx: Tx,
    by: Principal,
    kind: KindOf,
    to: str,
    until: int,
    actions: tuple[str, ...] | None,
    when: str | None,
    channel: str,
    assurance: Assurance,
) -> Delegation:
    if until > tx.now_us + LONGEST_SECONDS * SECOND:
        raise Invalid("too_long", f"at most {LONGEST_SECONDS // 86_400} days; say it again then")
    if until <= tx.now_us:
        raise Invalid("past", "its time is over already")
    made = Delegation(
        id=tx.next_id("delegation"),
        delegator=by.id,
        delegate=to,
        kind=kind,
        condition=when,
        assurance=int(assurance),
        actions=actions,
        until=until,
        created_at=tx.now_us,
        channel=channel,
    )
    values = {name: getattr(made, name) for name in _FIELDS}
    tx.run(_NEW, **values | {"actions": dump(list(actions)) if actions is not None else None})
    tx.record(
        "delegation:created",
        actor=by.id,
        subject=made.name,
        channel=channel,
        details={
            "kind": kind,
            "delegator": by.id,
            "delegate": to if made.lends else None,
            "when": when,
            "actions": list(actions) if actions is not None else None,
            "until": rfc3339(until),
            "assurance": assurance.word,
        },
    )
    return made
