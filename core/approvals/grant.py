"""Grants: "approve, and allow the same again for 30 minutes, 3 times".

A grant comes into being when everybody whom the policy needs chose it, with the same bounds, while they approved. It
repeats exactly what they saw (`core.approvals.terms`), is spent in the transaction that approves, and never lasts
longer or goes further than was chosen: state, count and time stand in the UPDATE's WHERE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Integer, bindparam, func, insert, literal_column, select, type_coerce, update

from core import ids
from core.approvals.approval import Approval
from core.approvals.approval import find as find_approval
from core.approvals.decision import Again, Decision, decisions, votes
from core.approvals.terms import terms_digest
from core.clock import SECOND, rfc3339, show_duration
from core.errors import Conflict, Invalid
from core.people.directory import HUB
from core.policy.ballot import Ballot, Vote
from core.policy.counting import count_on
from core.policy.policy import Policy
from core.store import schema
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx

_T, _U = schema.grant, schema.grant_use
_now = bindparam("now", type_=BigInteger())
_NEW = Statement(insert(_T), tuple(column.name for column in _T.columns))
_USED = Statement(insert(_U), tuple(column.name for column in _U.columns))
_FIND = Statement(select(_T).where(_T.c.id == bindparam("id")))
_OF_TERMS = Statement(
    select(_T)
    .where(_T.c.terms == bindparam("terms"), _T.c.ended_at.is_(None), _T.c.until > _now, _T.c.used < _T.c.times)
    .order_by(_T.c.until, _T.c.id)
)
_OF_APPROVAL = Statement(select(_T).where(_T.c.approval == bindparam("approval")).order_by(_T.c.id))
_BEFORE = Statement(select(_T).where(_T.c.id < bindparam("before")).order_by(_T.c.id.desc()).limit(200))
_OPEN = Statement(select(_T).where(_T.c.ended_at.is_(None), _T.c.until > _now).order_by(_T.c.id))
_OVER = Statement(select(_T).where(_T.c.ended_at.is_(None), _T.c.until <= _now).order_by(_T.c.until).limit(50))
_NEXT = Statement(select(func.min(_T.c.until).label("until")).where(_T.c.ended_at.is_(None)))
_USES = Statement(select(_U).where(_U.c.grant == bindparam("grant")).order_by(_U.c.number))
_SPEND = Statement(
    update(_T)
    .where(
        _T.c.id == bindparam("w_id"),
        _T.c.terms == bindparam("w_terms"),
        _T.c.ended_at.is_(None),
        _T.c.until > bindparam("w_now", type_=BigInteger()),
        _T.c.used < _T.c.times,
    )
    .values(used=type_coerce(_T.c.used + literal_column("1"), Integer))
)
_END = Statement(
    update(_T)
    .where(_T.c.id == bindparam("w_id"), _T.c.ended_at.is_(None))
    .values(ended_at=bindparam("at"), ended=bindparam("why"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One grant as it is stored. Times are microseconds since 1970."""

    id: int
    approval: int
    revision: int
    terms: str
    seconds: int
    times: int
    used: int
    created_at: int
    until: int
    ended_at: int | None
    ended: str | None

    @property
    def name(self) -> str:
        """The id that people type: `G2`."""
        return ids.show("G", self.id)

    @property
    def chosen_on(self) -> str:
        """The approval with which it was chosen."""
        return ids.show("A", self.approval)

    @property
    def again(self) -> Again:
        """What was chosen."""
        return Again(seconds=self.seconds, times=self.times)

    def in_force(self, now_us: int) -> bool:
        """Whether it may still be used, by the time `now_us`."""
        return self.ended_at is None and self.until > now_us and self.used < self.times


_FIELDS = tuple(Grant.__dataclass_fields__)


def _grant(row: Row) -> Grant:
    return Grant(**{name: row[name] for name in _FIELDS})


def find(reader: Reader, number: int) -> Grant:
    """The grant with that number. Raises NotFound."""
    row = reader.one(_FIND, id=number)
    if row is None:
        raise ids.missing("G", number)
    return _grant(row)


def chosen_with(reader: Reader, approval: Approval) -> list[Grant]:
    """Every grant that was chosen with the approval, the oldest first."""
    return [_grant(row) for row in reader.all(_OF_APPROVAL, approval=approval.id)]


def in_force(reader: Reader) -> list[Grant]:
    """Every grant whose time is not over and that has not ended, the oldest first."""
    return [_grant(row) for row in reader.all(_OPEN, now=reader.now_us)]


def earlier(reader: Reader, before: int = 2**62) -> list[Grant]:
    """Up to 200 grants below that number, also those that ended, the newest first."""
    return [_grant(row) for row in reader.all(_BEFORE, before=before)]


def demand_grantable(approval: Approval, policy: Policy, again: Again) -> None:
    """Nothing, when the same may be allowed again so long and so often.

    Raises Invalid (`bad_grant`, `too_long`, `too_many`), Conflict (`secret_needed`, `no_grants`).
    """
    bounds = policy.grants
    if approval.bound is not None and approval.bound.get("secrets"):
        raise Conflict(
            "secret_needed", f"{approval.action} takes a secret, which is given anew each time; it cannot be repeated"
        )
    if bounds.times == 0:
        raise Conflict("no_grants", f"policy {policy.name} takes each request for itself: approve it alone")
    if again.times < 1 or again.seconds < 1:
        raise Invalid("bad_grant", "say for how long and how often: for 30m times 3")
    if again.seconds > bounds.longest_seconds:
        raise Invalid("too_long", f"policy {policy.name} allows the same for {show_duration(bounds.longest_seconds)}")
    if again.times > bounds.times:
        raise Invalid("too_many", f"policy {policy.name} allows the same {bounds.times} times at most")


def offered(approval: Approval, policy: Policy) -> bool:
    """Whether a grant can be chosen with it."""
    secret = bool(approval.bound and approval.bound.get("secrets"))
    return policy.grants.times > 0 and not policy.allow and not secret


def choosers(reader: Reader, grant: Grant) -> list[str]:
    """Who chose it, by id, each once, in the order in which they did; also who could not any more."""
    given = choosing(decisions(reader, grant.approval, grant.revision), grant.again)
    return list(dict.fromkeys(each.by for each in given if each.verdict == "approve"))


def choosing(given: Sequence[Decision], again: Again) -> list[Decision]:
    """The decisions among `given` that say `again`, and those that are no approvals."""
    return [each for each in given if each.verdict != "approve" or each.again == again]


def backers(reader: Reader, grant: Grant) -> list[Vote]:
    """The approvals with which the grant was chosen, those that can count now."""
    approval = find_approval(reader, grant.approval)
    given = decisions(reader, grant.approval, grant.revision)
    return [each for each in votes(reader, approval, choosing(given, grant.again)) if each.verdict == "approve"]


def agree(tx: Tx, ballot: Ballot, approval: Approval, given: Sequence[Decision], again: Again) -> Grant | None:
    """The grant that exists from now on, because those who chose it satisfy the policy by themselves; else None."""
    said = choosing(given, again)
    if not count_on(ballot, votes(tx, approval, said)).satisfied:
        return None
    chosen = [each for each in said if each.verdict == "approve"]
    made = Grant(
        id=tx.next_id("grant"),
        approval=approval.id,
        revision=approval.revision,
        terms=terms_digest(approval.bound or {}),
        seconds=again.seconds,
        times=again.times,
        used=0,
        created_at=tx.now_us,
        until=tx.now_us + again.seconds * SECOND,
        ended_at=None,
        ended=None,
    )
    tx.run(_NEW, **{name: getattr(made, name) for name in _FIELDS})
    tx.record(
        "grant:created",
        actor=chosen[-1].by,
        subject=made.name,
        channel=chosen[-1].channel,
        details={
            "chosen_on": approval.name,
            "revision": approval.revision,
            "digest": approval.digest,
            "terms": made.terms,
            "until": made.until,
            "times": made.times,
            "by": [each.by for each in chosen],
        },
    )
    return made


def spend(tx: Tx, ballot: Ballot, approval: Approval) -> Grant | None:
    """The grant that is used for the approval from now on; None when there is none for what it asks.

    Whoever chose it must still satisfy the policy, with the people, groups, owners and delegations of now.
    """
    wanted = terms_digest(approval.bound or {})
    for grant in (_grant(row) for row in tx.all(_OF_TERMS, terms=wanted, now=tx.now_us)):
        if not count_on(ballot, backers(tx, grant)).satisfied:
            continue
        if tx.run(_SPEND, w_id=grant.id, w_terms=wanted, w_now=tx.now_us) == 1:
            spent = find(tx, grant.id)
            _note_use(tx, spent, approval)
            return spent
    return None


def _note_use(tx: Tx, spent: Grant, approval: Approval) -> None:
    tx.run(
        _USED,
        grant=spent.id,
        number=spent.used,
        approval=approval.id,
        revision=approval.revision,
        at=tx.now_us,
    )
    tx.record(
        "grant:used",
        actor=approval.requester,
        subject=spent.name,
        details={
            "chosen_on": spent.chosen_on,
            "approval": approval.name,
            "revision": approval.revision,
            "digest": approval.digest,
            "terms": spent.terms,
            "use": spent.used,
            "times": spent.times,
        },
    )
    if spent.used == spent.times:
        end(tx, spent, actor=HUB.id, channel=None, why="used up")


def end(tx: Tx, grant: Grant, *, actor: str, channel: str | None, why: str, reason: str | None = None) -> bool:
    """Nothing is approved by the grant any more; False when it had ended already."""
    if tx.run(_END, w_id=grant.id, at=tx.now_us, why=why) != 1:
        return False
    tx.record(
        "grant:ended",
        actor=actor,
        subject=grant.name,
        channel=channel,
        details={"chosen_on": grant.chosen_on, "why": why, "used": find(tx, grant.id).used},
        private={"reason": reason} if reason else {},
    )
    return True


def end_chosen_with(tx: Tx, approval: Approval, *, actor: str, why: str) -> None:
    """Every grant that was chosen with the approval has ended: what was agreed to with it no longer stands."""
    for grant in chosen_with(tx, approval):
        end(tx, grant, actor=actor, channel=None, why=why)


def expire_grants(tx: Tx) -> int:
    """Grants whose time is over have ended, visibly; they were of no use since. How many, at most 50."""
    over = [_grant(row) for row in tx.all(_OVER, now=tx.now_us)]
    return sum(end(tx, each, actor=HUB.id, channel=None, why="its time was over") for each in over)


def next_over(reader: Reader) -> int | None:
    """When the next grant's time is over, in microseconds since 1970; None when there is none."""
    row = reader.one(_NEXT)
    return None if row is None else row["until"]


def grant_json(reader: Reader, grant: Grant) -> dict[str, Any]:
    """A grant as the outside sees it, with each use; people by their ids."""
    approval = find_approval(reader, grant.approval)
    given = decisions(reader, grant.approval, grant.revision)
    chosen = [each for each in choosing(given, grant.again) if each.verdict == "approve"]
    return {
        "id": grant.name,
        "state": _state(grant, reader.now_us),
        "approval": grant.chosen_on,
        "revision": grant.revision,
        "action": approval.action,
        "title": approval.title,
        "requester": approval.requester,
        "terms": grant.terms,
        "seconds": grant.seconds,
        "times": grant.times,
        "used": grant.used,
        "chosen_by": [
            {"by": each.by, "on_behalf_of": each.on_behalf_of, "channel": each.channel, "at": rfc3339(each.at)}
            for each in chosen
        ],
        "uses": [
            {"approval": ids.show("A", row["approval"]), "revision": row["revision"], "at": rfc3339(row["at"])}
            for row in reader.all(_USES, grant=grant.id)
        ],
        "created_at": rfc3339(grant.created_at),
        "until": rfc3339(grant.until),
        "ended_at": rfc3339(grant.ended_at) if grant.ended_at is not None else None,
        "ended": grant.ended,
    }


def _state(grant: Grant, now_us: int) -> str:
    return "active" if grant.in_force(now_us) else "ended"
