"""An approval as the outside sees it: the JSON of CONTRACT, made in one place for every channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select

from core.approvals import grant, rollback
from core.approvals.approval import Approval, find, from_row
from core.approvals.backing import backing
from core.approvals.decision import Decision, decisions, votes
from core.approvals.delegation import proxies
from core.approvals.earlier import earlier
from core.approvals.freeze import frozen
from core.approvals.proposal import described, rendered, visible
from core.approvals.rule import ballot_of, rule_of
from core.approvals.run import find_run
from core.approvals.states import ENDED, OPEN, State
from core.clock import rfc3339
from core.ids import show
from core.leases.reading import waiting_for
from core.people.assurance import Assurance
from core.people.directory import Principal
from core.policy.ballot import Ballot, Vote
from core.policy.counting import Tally, count_on
from core.policy.policy import Policy
from core.policy.proxy import silent, voices
from core.policy.who import could_help
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.world import World

MOST_NAMED = 10
"""People whom the JSON names as those who could decide; `who` names all."""

OUTPUT_TAIL = 4_096
"""Characters of a run's output that go into the JSON."""

_T = schema.approval
_BEFORE = Statement(select(_T).where(_T.c.id < bindparam("before")).order_by(_T.c.id.desc()).limit(bindparam("most")))


def principal_json(world: World, principal_id: str) -> dict[str, str]:
    """`{id, kind, name}`, also for somebody who is no longer in the configuration."""
    found = world.people.find(principal_id)
    if found is None:
        return {"id": principal_id, "kind": "unknown", "name": principal_id}
    return {"id": found.id, "kind": found.kind.value, "name": found.name}


def etag(approval: Approval) -> str:
    """The strong entity tag of this version."""
    return f'"{approval.id}-{approval.version}"'


def may_see(world: World, principal: Principal, approval: Approval) -> bool:
    """Whether `principal` may know of the approval: everybody, unless its action is for some groups only."""
    action = world.actions.get(approval.action)
    if principal.id == approval.requester or principal.id in approval.owners:
        return True
    if action is None or visible(action, principal):
        return world.rights.has(principal, "read")
    ballot = ballot_of(world, approval)
    return ballot is not None and (ballot.eligible(principal.id) or ballot.vetoes(principal.id) is not None)


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
        "resources": approval.resources,
        "validation": approval.validation,
        "preview": approval.preview,
        "waiting_for": waiting_for(reader, approval.id) if approval.state is State.APPROVED else [],
        "run": _run(reader, approval.run),
        "reminders": approval.reminders,
        "escalated": _escalated(world, approval),
        **_freezes(reader, world, approval),
        "rollback": rollback.view(reader, ballot_of(world, approval), approval),
        "rollback_run": _run(reader, approval.rollback_run),
        "start": approval.start,
        "attempt": approval.attempt,
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
    return {"frozen": [each.as_json() for each in found], "override": override}


def _run(reader: Reader, number: int | None) -> dict[str, Any] | None:
    if number is None:
        return None
    run = find_run(reader, number)
    output = (run.output or b"").decode(errors="replace")
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
    }


def listing(
    reader: Reader,
    world: World,
    *,
    viewer: Principal,
    state: str | None = None,
    mine: bool = False,
    before: int | None = None,
    limit: int = 50,
) -> list[Approval]:
    """Approvals that `viewer` may see, newest first, from below `before`.

    `state` is one state, or `open` or `ended`. `mine` means those that the viewer asked for or can decide now.
    """
    wanted = _states(state)
    found: list[Approval] = []
    at = before if before is not None else 2**62
    while len(found) < limit:
        page = reader.all(_BEFORE, before=at, most=200)
        for row in page:
            approval = from_row(row)
            at = approval.id
            if wanted is not None and approval.state not in wanted:
                continue
            if mine and not concerns(reader, world, viewer, approval):
                continue
            if may_see(world, viewer, approval):
                found.append(approval)
                if len(found) == limit:
                    break
        if len(page) < 200:
            break
    return found


def _states(state: str | None) -> frozenset[State] | None:
    if state is None or state == "all":
        return None
    if state == "open":
        return OPEN | {State.APPLYING, State.ROLLING_BACK}
    if state == "ended":
        return ENDED
    return frozenset({State(state.upper())})


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
