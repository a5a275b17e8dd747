"""Reminders and escalations of a request under review: who was asked is asked again, and others are asked as well.

Each falls due once, by a guarded update: two nodes, a restart and a decision in the same instant change nothing about
that. Neither adds a seat or decides anything.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, bindparam, func, select

from core.approvals.approval import Approval, change, from_row
from core.approvals.owed import nag, next_nag
from core.approvals.rule import rule_of
from core.approvals.states import State
from core.clock import SECOND
from core.errors import Conflict
from core.people.directory import HUB
from core.policy.hours import after, within
from core.policy.policy import Escalation, Policy
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World

MOST_REMINDERS = 6
_AT_ONCE = 50

_T = schema.approval
_now = bindparam("now", type_=BigInteger())
_REMIND = Statement(
    select(_T).where(_T.c.remind_at.is_not(None), _T.c.remind_at <= _now).order_by(_T.c.remind_at).limit(_AT_ONCE)
)
_ESCALATE = Statement(
    select(_T).where(_T.c.escalate_at.is_not(None), _T.c.escalate_at <= _now).order_by(_T.c.escalate_at).limit(_AT_ONCE)
)
_NEXT = Statement(
    select(
        select(func.min(_T.c.remind_at)).where(_T.c.remind_at.is_not(None)).scalar_subquery().label("remind"),
        select(func.min(_T.c.escalate_at)).where(_T.c.escalate_at.is_not(None)).scalar_subquery().label("escalate"),
    )
)


def clocks(policy: Policy, now_us: int) -> dict[str, Any]:
    """The columns with which a request comes under review: since when, and when it is reminded of and escalated first."""
    remind = after(now_us, policy.remind_seconds, policy.hours) if policy.remind_seconds is not None else None
    first = policy.escalate[0].after_seconds if policy.escalate else None
    escalate = after(now_us, first, policy.hours) if first is not None else None
    return {
        "reviewing_at": now_us,
        "remind_at": remind,
        "reminders": 0,
        "escalate_at": escalate,
        "escalations": 0,
    }


NO_CLOCKS: dict[str, Any] = {"remind_at": None, "escalate_at": None}
"""The columns of a request that waits for nobody's decision."""


def nudge(tx: Tx, world: World) -> int:
    """Everything that is due now is done, a bounded number at a time; how much that was."""
    done = 0
    for row in tx.all(_REMIND, now=tx.now_us):
        done += _guarded(tx, world, from_row(row), remind=True)
    for row in tx.all(_ESCALATE, now=tx.now_us):
        done += _guarded(tx, world, from_row(row), remind=False)
    return done + nag(tx, world)


def _guarded(tx: Tx, world: World, approval: Approval, *, remind: bool) -> int:
    rule = rule_of(world, approval)
    try:
        if rule is None or approval.state is not State.REVIEWING:
            change(tx, approval, **NO_CLOCKS)
            return 0
        if not within(tx.now_us, rule.hours):  # the hub was down when it fell due: nobody is woken at night for that
            later: dict[str, Any] = {"remind_at" if remind else "escalate_at": after(tx.now_us, 0.0, rule.hours)}
            change(tx, approval, **later)
            return 0
        (_remind if remind else _escalate)(tx, approval, rule)
    except Conflict:
        return 0  # somebody else was first, or it is over: the guard says so, and there is nothing to do
    return 1


def _remind(tx: Tx, approval: Approval, rule: Policy) -> None:
    count = approval.reminders + 1
    wait = (rule.remind_seconds or 0.0) * 2**count
    more = count < MOST_REMINDERS and rule.remind_seconds is not None
    again = after(tx.now_us, wait, rule.hours) if more else None
    change(tx, approval, before="review_expires_at", reminders=count, remind_at=again)
    tx.record(
        "approval:reminded",
        actor=HUB.id,
        subject=approval.name,
        details={"reminder": count, "revision": approval.revision, "next": again},
    )


def _escalate(tx: Tx, approval: Approval, rule: Policy) -> None:
    if approval.escalations >= len(rule.escalate):
        change(tx, approval, escalate_at=None)
        return
    step, count = rule.escalate[approval.escalations], approval.escalations + 1
    again = None
    if count < len(rule.escalate):
        began = approval.reviewing_at or tx.now_us
        again = max(after(began, rule.escalate[count].after_seconds, rule.hours), tx.now_us + SECOND)
    change(tx, approval, before="review_expires_at", escalations=count, escalate_at=again)
    tx.record(
        "approval:escalated",
        actor=HUB.id,
        subject=approval.name,
        details={"to": step.to, "step": count, "revision": approval.revision},
    )


def next_deadline(reader: Reader) -> int | None:
    """When the next of these is due, in microseconds since 1970; None when none is."""
    row = reader.one(_NEXT)
    times = [row["remind"], row["escalate"], next_nag(reader)] if row is not None else []
    return min((each for each in times if each is not None), default=None)


def asked_as_well(world: World, approval: Approval, rule: Policy) -> list[str]:
    """The people whom the escalations so far ask, by id, in order."""
    return list(dict.fromkeys(each for step in rule.escalate[: approval.escalations] for each in _asked(world, step)))


def told_times(world: World, approval: Approval, rule: Policy, person: str | None) -> int:
    """How often it was said that the request waits: to `person`, or (None) to anybody."""
    steps = rule.escalate[: approval.escalations]
    return approval.reminders + sum(person is None or person in _asked(world, step) for step in steps)


def _asked(world: World, step: Escalation) -> list[str]:
    return sorted(world.people.members(step.to)) if world.people.find(step.to) is None else [step.to]
