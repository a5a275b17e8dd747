"""Taking back what ran: who may, whose say it takes, and the transaction in which the rollback's run is created.

The rollback is part of what was approved: its command is in the digest, and it runs only while its programs and files
are the approved ones. Under the policy's `rollback: allow` the requester, an owner, or anybody who could approve starts
it alone; under `rollback: policy` it takes the seats of the policy again, and the people who fill them say `rollback`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, insert, literal_column, select

from core.approvals.approval import Approval, change, find, from_row
from core.approvals.flags import halted, is_in_force
from core.approvals.rule import ballot_of, rule_of
from core.approvals.run import insert_run
from core.approvals.states import State
from core.clock import rfc3339
from core.errors import Conflict, Forbidden, Stale
from core.ids import parse, show
from core.leases.fence import raise_fence
from core.leases.lease import Lease
from core.leases.proving import prove_held
from core.people.assurance import Assurance, demand_assurance
from core.people.directory import HUB, Kind, Principal
from core.policy.ballot import Ballot, Vote
from core.policy.counting import Tally, tally
from core.policy.policy import Policy
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World

RAN = frozenset({State.COMPLETED, State.FAILED, State.UNKNOWN})
"""What can be taken back."""

_V = schema.rollback_voice
_T = schema.approval
_VOICES = Statement(select(_V).where(_V.c.approval == bindparam("approval")).order_by(_V.c.at, _V.c.person))
_NEW = Statement(insert(_V), tuple(column.name for column in _V.columns))
_CLEAR = Statement(delete(_V).where(_V.c.approval == bindparam("approval")))
_ASKED = Statement(
    select(_T)
    .where(
        _T.c.rollback_asked_at.is_not(None),
        _T.c.rollback_run.is_(None),
        _T.c.state.in_([literal_column(f"'{state}'") for state in sorted(RAN)]),
    )
    .order_by(_T.c.rollback_asked_at)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What asking for a rollback led to."""

    decided: bool
    """True: it is on its way. False: others have to want it too."""
    first: bool
    """False when the same person had said so before."""
    count: Tally


def offered(approval: Approval) -> bool:
    """Whether its rollback can still be asked for."""
    return (
        approval.state in RAN
        and approval.run is not None
        and approval.rollback_run is None
        and approval.rollback_asked_at is None
        and approval.bound is not None
        and "rollback" in approval.bound["commands"]
    )


def asked(reader: Reader) -> list[Approval]:
    """Every approval whose rollback was decided and has not begun, longest waiting first."""
    return [from_row(row) for row in reader.all(_ASKED)]


def count_of(reader: Reader, ballot: Ballot, approval: Approval) -> Tally:
    """The voices for the rollback, counted like approvals, with the people and groups of now."""
    votes = [Vote(person=row["person"]) for row in reader.all(_VOICES, approval=approval.id)]
    return tally(ballot.policy, votes, ballot.directory, ballot.barred)


def ask(
    tx: Tx,
    world: World,
    approval: Approval,
    *,
    by: Principal,
    channel: str,
    assurance: Assurance,
    reason: str | None,
) -> Asked:
    """`by` wants what ran taken back; it is on its way once that is enough.

    Raises Conflict (`wrong_state`, `no_rollback`, `rollback_under_way`, `policy_changed`), Forbidden (`not_eligible`,
    `assurance_too_low`).
    """
    _demand_offered(approval)
    rule, ballot = rule_of(world, approval), ballot_of(world, approval)
    if rule is None or ballot is None:
        raise Conflict("policy_changed", f"the policy of {approval.name} is no longer configured")
    eligible = by.kind is Kind.PERSON and ballot.eligible(by.id)
    own = by.id == approval.requester or by.id in approval.owners
    alone = _alone(rule, approval)
    if not eligible and not (own and alone):
        why = "you asked for it; somebody who could approve it" if own else "whoever could approve it"
        raise Forbidden("not_eligible", f"{why} decides on taking {approval.name} back: `who {approval.name}`")
    demand_assurance(assurance, rule.min_assurance)
    if by.id in {row["person"] for row in tx.all(_VOICES, approval=approval.id)}:
        return Asked(decided=False, first=False, count=count_of(tx, ballot, approval))
    tx.run(
        _NEW,
        approval=approval.id,
        person=by.id,
        channel=channel,
        assurance=int(assurance),
        comment=reason,
        at=tx.now_us,
    )
    count = count_of(tx, ballot, approval)
    decided = alone or rule.allow or count.satisfied
    if decided:
        change(tx, approval, rollback_asked_at=tx.now_us)
    else:
        change(tx, approval)
    tx.record(
        "rollback:requested",
        actor=by.id,
        subject=approval.name,
        channel=channel,
        details={"decided": decided, "assurance": assurance.word, "digest": approval.digest},
        private={"reason": reason} if reason else {},
    )
    return Asked(decided=decided, first=True, count=count)


def _alone(rule: Policy, approval: Approval) -> bool:
    """Whether one person is enough: never for what ran by break-glass, which nobody else has agreed to yet."""
    return rule.rollback == "allow" and not approval.glass


def _demand_offered(approval: Approval) -> None:
    if approval.rollback_run is not None or approval.rollback_asked_at is not None:
        raise Conflict("rollback_under_way", f"the rollback of {approval.name} was asked for already")
    if approval.state not in RAN or approval.run is None or approval.bound is None:
        raise Conflict("wrong_state", f"{approval.name} is {approval.state}; only what ran can be taken back")
    if "rollback" not in approval.bound["commands"]:
        raise Conflict("no_rollback", f"the action {approval.action} says no rollback")


def call_off(tx: Tx, approval: Approval, why: str) -> None:
    """The rollback that was decided does not begin; it can be asked for again."""
    tx.run(_CLEAR, approval=approval.id)
    change(tx, approval, rollback_asked_at=None)
    tx.record(
        "rollback:failed", actor=HUB.id, subject=approval.name, details={"state": str(approval.state), "why": why}
    )


def call_off_unwanted(tx: Tx, world: World, number: int) -> bool:
    """A rollback that those who are left do not want any more is called off; False when it is wanted, or not waiting."""
    approval = find(tx, number)
    ballot = ballot_of(world, approval)
    waits = approval.rollback_asked_at is not None and approval.rollback_run is None and approval.state in RAN
    if not waits or ballot is None or count_of(tx, ballot, approval).satisfied:
        return False
    call_off(tx, approval, "those who wanted it are no longer enough")
    return True


def start_rollback(tx: Tx, world: World, approval: Approval, *, lease: Lease | None, holder: str) -> int:
    """The approval is ROLLING_BACK and its run exists; the run's number. The process is spawned after this commit.

    Guarded by state, version, halt, configuration and the lease with its token; whose say it takes is counted again.
    Raises Conflict or Stale, and then nothing has happened.
    """
    if (why := halted(tx)) is not None:
        raise Conflict("halted", f"everything is stopped: {why}")
    if not is_in_force(tx, world):
        raise Stale("config_changed", "the configuration has just changed")
    rule, ballot = rule_of(world, approval), ballot_of(world, approval)
    if rule is None or ballot is None:
        raise Conflict("policy_changed", f"the policy of {approval.name} is no longer configured")
    if not _alone(rule, approval) and not rule.allow and not count_of(tx, ballot, approval).satisfied:
        raise Conflict("no_longer_satisfied", f"those who wanted {approval.name} taken back are no longer enough")
    token = lease.token if lease is not None else tx.now_us
    if lease is not None:
        prove_held(tx, parse("L", lease.lock_id), token)
        raise_fence(tx, approval.resources, token)
    run = insert_run(
        tx,
        approval=approval.id,
        kind="rollback",
        token=token,
        lock_id=parse("L", lease.lock_id) if lease is not None else None,
        holder=holder,
    )
    change(tx, approval, to=State.ROLLING_BACK, rollback_run=run)
    tx.record(
        "rollback:started",
        actor=HUB.id,
        subject=approval.name,
        details={
            "state": "ROLLING_BACK",
            "run": show("R", run),
            "token": token,
            "digest": approval.digest,
            "lease": lease.lock_id if lease is not None else None,
            "config": world.version,
            "by": [row["person"] for row in tx.all(_VOICES, approval=approval.id)],
        },
    )
    return run


def view(reader: Reader, ballot: Ballot | None, approval: Approval) -> dict[str, Any] | None:
    """The rollback as the outside sees it; None for an action without one.

    `{offered, asked_at, by: [{person, comment}], missing: [{group|person, count}]}`; its run stands beside it.
    """
    if approval.bound is None or "rollback" not in approval.bound["commands"]:
        return None
    missing = (
        count_of(reader, ballot, approval).missing if ballot is not None and not _alone(ballot.policy, approval) else ()
    )
    return {
        "offered": offered(approval),
        "asked_at": rfc3339(approval.rollback_asked_at) if approval.rollback_asked_at is not None else None,
        "by": [
            {"person": row["person"], "comment": row["comment"]} for row in reader.all(_VOICES, approval=approval.id)
        ],
        "missing": [
            {"group": each.requirement.group, "person": each.requirement.person, "count": each.lacking}
            for each in missing
        ],
        "preview": approval.rollback_preview,
    }
