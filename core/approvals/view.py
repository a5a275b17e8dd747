"""An approval as the outside sees it: the JSON of CONTRACT, made in one place for every channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.approvals import grant, rollback
from core.approvals.approval import Approval, find
from core.approvals.backing import backing
from core.approvals.decision import Decision, decisions
from core.approvals.delegation import proxies
from core.approvals.earlier import earlier
from core.approvals.freeze import could_override, frozen
from core.approvals.owed import owed_to
from core.approvals.proposal import described, rendered
from core.approvals.rule import ballot_of, rule_of
from core.approvals.run import find_run
from core.approvals.states import OPEN, State
from core.clock import rfc3339
from core.ids import show
from core.leases.reading import waiting_for
from core.people.assurance import Assurance
from core.policy.ballot import Ballot, Vote
from core.policy.counting import Tally, count_on
from core.policy.policy import Policy
from core.policy.proxy import silent
from core.policy.who import could_help
from core.store.rows import Reader
from core.work.work import BY_AGENT, find_work
from core.world import World

MOST_NAMED = 10
"""People whom the JSON names as those who could decide; `who` names all."""

OUTPUT_TAIL = 4_096
"""Characters of a run's output that go into the JSON."""


def principal_json(world: World, principal_id: str) -> dict[str, str]:
    """`{id, kind, name}`, also for somebody who is no longer in the configuration."""
    found = world.people.find(principal_id)
    if found is None:
        return {"id": principal_id, "kind": "unknown", "name": principal_id}
    return {"id": found.id, "kind": found.kind.value, "name": found.name}


def etag(approval: Approval) -> str:
    """The strong entity tag of this version."""
    return f'"{approval.id}-{approval.version}"'


def view(reader: Reader, world: World, number: int) -> dict[str, Any]:
    """The Approval of CONTRACT. Raises NotFound."""
    return view_of(reader, world, find(reader, number))


def view_of(reader: Reader, world: World, approval: Approval) -> dict[str, Any]:
    """The Approval of CONTRACT, with `version` and `commands` beside it."""
    given = decisions(reader, approval.id, approval.revision)
    ballot = ballot_of(world, approval)
    policy = ballot.policy if ballot else None
    said = backing(reader, approval)
    count = count_on(ballot, said) if ballot else None
    return {
        "id": approval.name,
        "version": approval.version,
        "action": approval.action,
        "title": approval.title,
        "params": approval.params,
        "reason": approval.reason,
        "state": str(approval.state),
        "why": approval.closed_why,
        "revision": approval.revision,
        "digest": approval.digest,
        "requester": principal_json(world, approval.requester),
        "owners": list(approval.owners),
        "channel": approval.channel,
        "policy": approval.policy,
        "allow": policy.allow if policy else False,
        "min_assurance": policy.min_assurance.word if policy else None,
        "confirm": policy.confirm if policy else "press",
        "commands": _commands(world, approval),
        "requirements": _requirements(count),
        "rejections": {"have": len(count.against) if count else 0, "count": policy.reject if policy else 1},
        "veto": list(policy.veto) if policy else [],
        "could": [
            principal_json(world, each)
            for each in (could_help(ballot, said, MOST_NAMED) if ballot and approval.state is State.REVIEWING else ())
        ],
        "delegations": _delegations(reader, world, approval, ballot, said),
        "decisions": [_decision(world, each) for each in given],
        **_grants(reader, world, approval, policy),
        "glass": _glass(reader, world, approval),
        "resources": approval.resources,
        "validation": approval.validation,
        "preview": approval.preview,
        "waiting_for": waiting_for(reader, approval.id) if approval.state is State.APPROVED else [],
        "run": run_json(reader, approval.run),
        "reminders": approval.reminders,
        "escalated": _escalated(world, approval),
        **_freezes(reader, world, approval),
        "rollback": rollback.view(reader, ballot, approval),
        "rollback_run": run_json(reader, approval.rollback_run),
        "start": approval.start,
        "attempt": approval.attempt,
        "cause": approval.cause,
        "retry_of": show("A", approval.retry_of) if approval.retry_of else None,
        "retried_as": show("A", approval.retried_as) if approval.retried_as else None,
        **earlier(reader, approval),
        "created_at": rfc3339(approval.created_at),
        "review_expires_at": _time(approval.review_expires_at if approval.state in OPEN else None),
        "apply_asked_at": _time(approval.apply_asked_at),
        "apply_expires_at": _time(approval.apply_expires_at),
        "hold_until": _time(approval.hold_until),
        "closed_at": _time(approval.closed_at),
    }


def _time(us: int | None) -> str | None:
    return None if us is None else rfc3339(us)


def _commands(world: World, approval: Approval) -> Any:
    """The exact commands: those bound by the digest, or before the check those that would be."""
    if approval.bound is not None:
        return approval.bound["commands"]
    action = world.actions.get(approval.action)
    return {} if action is None else {"apply": described(rendered(action.apply, approval.params))}


def _requirements(count: Tally | None) -> list[dict[str, Any]]:
    return [
        {
            **(
                {"group": each.requirement.group}
                if each.requirement.group is not None
                else {"person": each.requirement.person}
            ),
            "count": each.requirement.count,
            "have": each.have,
            "by": list(each.by),
        }
        for each in (count.seats if count else ())
    ]


def _delegations(
    reader: Reader, world: World, approval: Approval, ballot: Ballot | None, said: Sequence[Vote]
) -> list[dict[str, Any]]:
    """Who could speak for whom now."""
    if ballot is None or approval.state is not State.REVIEWING:
        return []
    return [
        {
            "id": show("D", each.id),
            "by": principal_json(world, each.delegate),
            "on_behalf_of": principal_json(world, each.delegator),
        }
        for each in proxies(reader, approval.action)
        if silent(ballot, each, said) is None
    ]


def _decision(world: World, decision: Decision) -> dict[str, Any]:
    return {
        "by": principal_json(world, decision.by),
        "verdict": decision.verdict,
        "at": rfc3339(decision.at),
        "channel": decision.channel,
        "assurance": Assurance(decision.assurance).word,
        "comment": decision.comment,
        "digest": decision.digest,
        "on_behalf_of": principal_json(world, decision.on_behalf_of) if decision.on_behalf_of else None,
        "delegation": show("D", decision.delegation) if decision.delegation else None,
        "grant": {"seconds": decision.again.seconds, "times": decision.again.times} if decision.again else None,
    }


def _grants(reader: Reader, world: World, approval: Approval, policy: Policy | None) -> dict[str, Any]:
    """The grants that were chosen with it, the one that approved it, and whether one may be chosen now."""
    used = grant.find(reader, approval.by_grant) if approval.by_grant is not None else None
    offered = policy is not None and approval.state is State.REVIEWING and grant.offered(approval, policy)
    return {
        "grants": [
            {
                "id": each.name,
                "until": rfc3339(each.until),
                "times": each.times,
                "used": each.used,
                "ended": each.ended,
            }
            for each in grant.chosen_with(reader, approval)
        ],
        "by_grant": {
            "id": used.name,
            "approval": used.chosen_on,
            "by": [principal_json(world, each) for each in grant.choosers(reader, used)],
            "until": rfc3339(used.until),
        }
        if used is not None
        else None,
        "grant_offered": offered,
    }


def _glass(reader: Reader, world: World, approval: Approval) -> dict[str, Any] | None:
    """Who broke the glass, and the review that is owed for it; None for what is decided like any other."""
    if not approval.glass:
        return None
    return {"by": principal_json(world, approval.requester), "review": _review(reader, world, approval)}


def _review(reader: Reader, world: World, approval: Approval) -> dict[str, Any] | None:
    found = owed_to(reader, approval)
    if found is None:
        return None
    return {
        "due_at": rfc3339(found.due_at),
        "overdue": found.reviewed_at is None and found.due_at <= reader.now_us,
        "reminders": found.nags,
        "verdict": found.verdict,
        "by": principal_json(world, found.reviewed_by) if found.reviewed_by is not None else None,
        "comment": found.comment,
        "at": _time(found.reviewed_at),
    }


def _escalated(world: World, approval: Approval) -> list[str]:
    """Whom the escalations so far ask as well: groups and people, as the policy names them."""
    rule = rule_of(world, approval)
    return [] if rule is None else [step.to for step in rule.escalate[: approval.escalations]]


def _freezes(reader: Reader, world: World, approval: Approval) -> dict[str, Any]:
    """What stands in its way, and who overrode it."""
    override = None
    if approval.override_at is not None:
        override = {
            "by": principal_json(world, approval.override_by or ""),
            "at": rfc3339(approval.override_at),
            "reason": approval.override_why,
        }
    found = frozen(reader, world, approval) if approval.state in OPEN else []
    people = could_override(world, approval)[:MOST_NAMED] if found else []
    return {
        "frozen": [each.as_json() for each in found],
        "could_override": [principal_json(world, each.id) for each in people],
        "override": override,
    }


def run_json(reader: Reader, number: int | None) -> dict[str, Any] | None:
    """The run as JSON has it; None for none."""
    if number is None:
        return None
    run = find_run(reader, number)
    work = find_work(reader, number) if run.process == BY_AGENT else None
    said = work.output if work is not None and run.ended_at is None else run.output or b""
    output = said.decode(errors="replace")
    return {
        "id": run.name,
        "state": run.state,
        "exit": run.exit,
        "why": run.why,
        "output_tail": output[-OUTPUT_TAIL:],
        "output_dropped": run.output_dropped,
        "token": run.token,
        "started_at": rfc3339(run.started_at),
        "ended_at": _time(run.ended_at),
        **({"work": work.as_json()} if work is not None else {}),
    }
