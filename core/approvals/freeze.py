"""Freezes: times in which nothing that needs some resources is approved or started.

Those of hub.yaml repeat or stand once and are worked out for the moment that is asked about; those made by command are
stored. Both are looked at by the store's time, in the transaction that they guard. An override of somebody with that
right stands for one revision of one request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import BigInteger, bindparam, insert, select, update

from core import ids
from core.approvals.approval import Approval, change
from core.approvals.rule import rule_in_force
from core.approvals.states import OPEN
from core.approvals.windows import begun
from core.clock import SECOND, rfc3339
from core.errors import Conflict, Forbidden, Invalid
from core.leases.resource import check
from core.people.assurance import Assurance, demand_assurance
from core.people.directory import HUB, Kind, Principal
from core.policy.counting import barred_by
from core.store import schema
from core.store.encoding import dump, load
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import FreezeWindow, World

LONGEST_SECONDS = 366 * 86_400.0

_T = schema.freeze
_now = bindparam("now", type_=BigInteger())
_NEW = Statement(insert(_T), tuple(column.name for column in _T.columns))
_FIND = Statement(select(_T).where(_T.c.id == bindparam("id")))
_IN_FORCE = Statement(
    select(_T).where(_T.c.ended_at.is_(None), _T.c.starts_at <= _now, _T.c.ends_at > _now).order_by(_T.c.id)
)
_OVER = Statement(
    select(_T).where(_T.c.ended_at.is_(None), _T.c.ends_at <= _now).order_by(_T.c.ends_at, _T.c.id).limit(50)
)
_END = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.ended_at.is_(None))
    .values(ended_at=bindparam("at"), ended_by=bindparam("by"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """One freeze in force. `until` is microseconds since 1970."""

    name: str
    """`F2`, or its name in hub.yaml."""
    resources: tuple[str, ...]
    reason: str
    until: int
    by: str | None
    """Who made it; None for hub.yaml."""

    def covers(self, resources: Iterable[str]) -> bool:
        """Whether any of `resources` is frozen: the same, one above the other, or what a `*` stands for."""
        return any(_covers(pattern, resource) for pattern in self.resources for resource in resources)

    def as_json(self) -> dict[str, Any]:
        """`{name, resources, reason, until, by}`."""
        return {
            "id": self.name,
            "resources": list(self.resources),
            "reason": self.reason,
            "until": rfc3339(self.until),
            "by": self.by,
        }


def _covers(pattern: str, resource: str) -> bool:
    """Whether something that the pattern stands for conflicts with `resource` as leases do; `*` stays within a part."""
    # The shorter of the two ends the comparison: what lies above or below is covered too.
    return all(fnmatchcase(part, wanted) for part, wanted in zip(resource.split("/"), pattern.split("/"), strict=False))


def freezes(reader: Reader, world: World) -> list[Freeze]:
    """Every freeze in force now, those of hub.yaml first."""
    now = reader.now_us
    configured = [found for window in world.freezes if (found := _of_window(window, now)) is not None]
    return [*configured, *(_of_row(row) for row in reader.all(_IN_FORCE, now=now))]


def _of_row(row: Row) -> Freeze:
    return Freeze(
        name=ids.show("F", row["id"]),
        resources=tuple(load(row["resources"])),
        reason=row["reason"],
        until=row["ends_at"],
        by=row["created_by"],
    )


def _of_window(window: FreezeWindow, now_us: int) -> Freeze | None:
    """The freeze that `window` makes of this moment, or None."""
    now = begun(window, now_us)
    if now is None:
        return None
    return Freeze(name=window.name, resources=now.resources, reason=window.reason, until=now.until, by=None)


def frozen(reader: Reader, world: World, approval: Approval) -> list[Freeze]:
    """What stands in the approval's way now; [] when its revision has an override."""
    if approval.override_at is not None:
        return []
    return [each for each in freezes(reader, world) if each.covers(approval.resources)]


def could_override(world: World, approval: Approval) -> list[Principal]:
    """The people who may override for the request, in order of their ids."""
    barred = barred_by(approval.requester, approval.owners, world.people)
    return [
        each
        for each in sorted(world.people, key=lambda each: each.id)
        if each.kind is Kind.PERSON and each.id not in barred and world.rights.has(each, "override")
    ]


def demand_thawed(reader: Reader, world: World, approval: Approval, what: str) -> None:
    """Nothing, unless a freeze covers what it needs. Raises Conflict `frozen`, naming it and until when."""
    found = frozen(reader, world, approval)
    if found:
        raise Conflict(
            "frozen",
            f"{approval.name} cannot be {what}: {words(found, approval.name)}",
            freezes=[e.as_json() for e in found],
        )


def words(found: Sequence[Freeze], name: str) -> str:
    """Which freezes stop the approval of that name, until when and why, and what can be done."""
    return f"{named(found)}. Somebody with the right override can say `override {name} because …`"


def named(found: Sequence[Freeze]) -> str:
    """What is frozen by which freezes, until when and why."""
    return "; ".join(
        f"{', '.join(each.resources)} is frozen by {each.name} until {rfc3339(each.until)[:16].replace('T', ' ')} UTC"
        f" ({each.reason})"
        for each in found
    )


def create(tx: Tx, *, by: Principal, resources: Sequence[str], reason: str, until: int, channel: str) -> Freeze:
    """The resources are frozen from now on; patterns with `*` cover what they stand for.

    Raises Invalid (`bad_resource`, `reason_required`, `too_long`).
    """
    if not reason.strip():
        raise Invalid("reason_required", "say why: whoever is stopped by the freeze will read it")
    if until - tx.now_us > LONGEST_SECONDS * SECOND:
        raise Invalid("too_long", "a freeze lasts a year at most")
    for resource in resources:
        check(resource.replace("*", "x"))
    number = tx.next_id("freeze")
    tx.run(
        _NEW,
        id=number,
        resources=dump(list(resources)),
        reason=reason,
        starts_at=tx.now_us,
        ends_at=until,
        created_by=by.id,
        created_at=tx.now_us,
        ended_at=None,
        ended_by=None,
    )
    name = ids.show("F", number)
    tx.record(
        "freeze:created",
        actor=by.id,
        subject=name,
        channel=channel,
        details={"resources": list(resources), "until": until},
        private={"reason": reason},
    )
    return Freeze(name=name, resources=tuple(resources), reason=reason, until=until, by=by.id)


def end(tx: Tx, world: World, name: str, *, by: Principal, channel: str) -> Freeze:
    """The freeze is over. Raises NotFound, Conflict `ended`; Conflict `configured`, naming the place, for hub.yaml's."""
    for window in world.freezes:
        if window.name == name:
            raise Conflict(
                "configured",
                f"{name} stands in {window.where}, so it ends there: change it, then `interlock reload`; "
                "`override A… because …` lets one request go on meanwhile",
                where=window.where,
            )
    number = ids.parse("F", name)
    row = tx.one(_FIND, id=number)
    if row is None:
        raise ids.missing("F", number)
    if tx.run(_END, w_id=number, at=tx.now_us, by=by.id) != 1:
        raise Conflict("ended", f"{name} has ended already")
    found = _of_row(row)
    tx.record(
        "freeze:ended", actor=by.id, subject=found.name, channel=channel, details={"resources": list(found.resources)}
    )
    return found


def end_those_over(tx: Tx) -> int:
    """Every freeze whose time is over has ended, visibly; how many. The guards let it go before that already."""
    ended = 0
    for row in tx.all(_OVER, now=tx.now_us):
        if tx.run(_END, w_id=row["id"], at=tx.now_us, by=HUB.id) == 1:
            found = _of_row(row)
            tx.record("freeze:ended", actor=HUB.id, subject=found.name, details={"resources": list(found.resources)})
            ended += 1
    return ended


def any_over(reader: Reader) -> bool:
    """Whether the time of a freeze is over that has not been said to have ended."""
    return reader.one(_OVER, now=reader.now_us) is not None


def override(
    tx: Tx, world: World, approval: Approval, *, by: Principal, reason: str, channel: str, assurance: Assurance
) -> list[Freeze]:
    """The freezes of now and later no longer stop this revision; which they are now.

    The caller has checked the right `override`. It takes what approving takes: a person, as strongly proved as the
    policy wants of them. Raises Forbidden (`not_a_person`, `assurance_too_low`; `own_request` for who asked, or owns who
    did), Invalid `reason_required`, Conflict (`wrong_state`, `not_frozen`, `policy_changed`).
    """
    if by.kind is not Kind.PERSON:
        raise Forbidden("not_a_person", "agents and services ask; only people let a request past a freeze")
    if by.id in barred_by(approval.requester, approval.owners, world.people):
        raise Forbidden("own_request", f"you asked for {approval.name}, or own who did; somebody else must override")
    demand_assurance(assurance, rule_in_force(world, approval).min_assurance)
    if not reason.strip():
        raise Invalid("reason_required", "say why this cannot wait")
    if approval.state not in OPEN:
        raise Conflict("wrong_state", f"{approval.name} is {approval.state}; there is nothing to override")
    found = frozen(tx, world, approval)
    if not found:
        raise Conflict("not_frozen", f"nothing that {approval.name} needs is frozen")
    change(tx, approval, override_by=by.id, override_why=reason, override_at=tx.now_us)
    tx.record(
        "freeze:overridden",
        actor=by.id,
        subject=approval.name,
        channel=channel,
        details={
            "revision": approval.revision,
            "freezes": [each.name for each in found],
            "assurance": assurance.word,
        },
        private={"reason": reason},
    )
    return found
