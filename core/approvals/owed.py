"""Reviews that are owed to what ran by break-glass: due within the policy's time, and nagged about until given."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, bindparam, delete, func, insert, null, select, update

from core.approvals.approval import Approval, find
from core.approvals.rule import rule_of
from core.clock import SECOND
from core.ids import show
from core.people.directory import HUB
from core.policy.hours import after
from core.policy.policy import Policy
from core.store import schema
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World

_T = schema.owed_review
_NEW = Statement(insert(_T), tuple(column.name for column in _T.columns))
_DROP = Statement(delete(_T).where(_T.c.approval == bindparam("approval"), _T.c.reviewed_at.is_(None)))
_OF = Statement(select(_T).where(_T.c.approval == bindparam("approval")))
_OPEN = Statement(select(_T).where(_T.c.reviewed_at.is_(None)).order_by(_T.c.due_at, _T.c.approval))
_DUE = Statement(
    select(_T)
    .where(_T.c.nag_at.is_not(None), _T.c.nag_at <= bindparam("now", type_=BigInteger()))
    .order_by(_T.c.nag_at)
    .limit(50)
)
_NEXT = Statement(select(func.min(_T.c.nag_at).label("nag")).where(_T.c.nag_at.is_not(None)))
_NAGGED = Statement(
    update(_T)
    .where(_T.c.approval == bindparam("w_approval"), _T.c.nag_at == bindparam("w_nag_at"), _T.c.reviewed_at.is_(None))
    .values(nag_at=bindparam("nag_at"), nags=bindparam("nags"))
)
_GIVEN = Statement(
    update(_T)
    .where(_T.c.approval == bindparam("w_approval"), _T.c.reviewed_at.is_(None))
    .values(
        verdict=bindparam("verdict"),
        reviewed_by=bindparam("reviewed_by"),
        channel=bindparam("channel"),
        assurance=bindparam("assurance"),
        comment=bindparam("comment"),
        reviewed_at=bindparam("reviewed_at"),
        nag_at=null(),
    )
)
_LEAST_US = SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """One review, owed or given. Times are microseconds since 1970."""

    approval: int
    due_at: int
    nag_at: int | None
    nags: int
    verdict: str | None
    reviewed_by: str | None
    channel: str | None
    assurance: int | None
    comment: str | None
    reviewed_at: int | None
    created_at: int

    @property
    def name(self) -> str:
        """The approval that it is owed to."""
        return show("A", self.approval)


_FIELDS = tuple(Owed.__dataclass_fields__)


def _owed(row: Row) -> Owed:
    return Owed(**{name: row[name] for name in _FIELDS})


def owed_to(reader: Reader, approval: Approval) -> Owed | None:
    """The review of the approval, owed or given."""
    row = reader.one(_OF, approval=approval.id)
    return None if row is None else _owed(row)


def all_owed(reader: Reader) -> list[Owed]:
    """Every review that is owed and not given, the one due first first."""
    return [_owed(row) for row in reader.all(_OPEN)]


def owe(tx: Tx, approval: Approval, policy: Policy) -> int:
    """A review is owed from now on; when it is due."""
    seconds = policy.break_glass.review_seconds if policy.break_glass is not None else 0.0
    due_at = after(tx.now_us, seconds, policy.hours)
    row = dict.fromkeys(_FIELDS) | {"approval": approval.id, "due_at": due_at, "nags": 0, "created_at": tx.now_us}
    tx.run(_NEW, **row | {"nag_at": after(tx.now_us, seconds / 2, policy.hours)})
    return due_at


def forgive(tx: Tx, approval: Approval) -> None:
    """No review is owed: it never ran by break-glass. One that was given stays."""
    tx.run(_DROP, approval=approval.id)


def give(
    tx: Tx, approval: Approval, *, verdict: str, by: str, channel: str, assurance: int, comment: str | None
) -> bool:
    """The review is given; False when somebody else was first."""
    given = {"verdict": verdict, "reviewed_by": by, "channel": channel, "assurance": assurance, "comment": comment}
    return tx.run(_GIVEN, w_approval=approval.id, reviewed_at=tx.now_us, **given) == 1


def nag(tx: Tx, world: World) -> int:
    """Whoever owes a review that is due for it is told again, at most 50 at a time; how many. It never stops by itself."""
    done = 0
    for owed in (_owed(row) for row in tx.all(_DUE, now=tx.now_us)):
        approval = find(tx, owed.approval)
        rule = rule_of(world, approval)
        again = _next(tx.now_us, owed, rule)
        if tx.run(_NAGGED, w_approval=owed.approval, w_nag_at=owed.nag_at, nag_at=again, nags=owed.nags + 1) == 1:
            details = {"glass": True, "reminder": owed.nags + 1, "revision": approval.revision, "next": again}
            tx.record("approval:reminded", actor=HUB.id, subject=approval.name, details=details)
            done += 1
    return done


def _next(now_us: int, owed: Owed, rule: Policy | None) -> int:
    """When it is due, if it is not yet, else after half the time that there was; counted in the policy's hours."""
    if owed.due_at > now_us:
        return owed.due_at
    wait = max((owed.due_at - owed.created_at) // 2, _LEAST_US)
    return after(now_us, wait / SECOND, rule.hours if rule is not None else None)


def next_nag(reader: Reader) -> int | None:
    """When the next of these is due, in microseconds since 1970; None when none is."""
    row = reader.one(_NEXT)
    return None if row is None else row["nag"]
