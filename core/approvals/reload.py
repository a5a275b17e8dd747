"""Another configuration comes into force: open requests are matched again in the same transaction.

One whose action or policy changed gets a new revision, its decisions dropped; one that could no longer be made
ends EXPIRED with the reason. A run under way keeps its own configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import bindparam, select

from core.approvals.approval import Approval, find
from core.approvals.closing import close
from core.approvals.flags import config_in_force, publish
from core.approvals.paging import each_in
from core.approvals.proposal import Proposal, Seal, propose
from core.approvals.request import revise
from core.approvals.rule import rule_of
from core.approvals.states import State
from core.errors import Conflict, Refusal
from core.people import keys, linking, sessions
from core.people.assurance import Assurance
from core.people.directory import HUB
from core.people.vouching import end_unvouched
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World

_T = schema.approval
_STATES = (State.DRAFT, State.SUBMITTED, State.REVIEWING, State.APPROVED)
_VERSIONS = Statement(select(_T.c.id, _T.c.version).where(_T.c.state == bindparam("state")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What the new configuration changes about one open request: another proposal, or why there can be none."""

    approval: int
    proposal: Proposal | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """Every open request under a new configuration: which version of each was looked at, and which of them must move."""

    versions: Mapping[int, int]
    moves: Sequence[Move]


def in_force(tx: Tx, digest: str) -> int | None:
    """The version of the configuration with that digest if it is the one in force, else None."""
    version, current = config_in_force(tx)
    return version if current == digest else None


def matched(reader: Reader, world: World, seal: Seal) -> Matched:
    """Every open request under `world`, worked out before the transaction."""
    versions: dict[int, int] = {}
    moves: list[Move] = []
    for state in _STATES:
        for approval in each_in(reader, state):
            versions[approval.id] = approval.version
            if (move := _move_of(approval, world, reader.now_us, seal)) is not None:
                moves.append(move)
    return Matched(versions=versions, moves=sorted(moves, key=lambda each: each.approval))


def _move_of(approval: Approval, world: World, now_us: int, seal: Seal) -> Move | None:
    """What `world` changes about the request; None when nothing."""
    requester = world.people.find(approval.requester)
    if requester is None:
        gone = f"{approval.requester} is no longer in the configuration"
        return Move(approval=approval.id, proposal=None, why=gone)
    action = world.actions.get(approval.action)
    secret = {param.name: "x" for param in action.params if param.secret} if action else {}
    try:
        proposal = propose(
            world,
            action=approval.action,
            params={**approval.params, **secret},
            requester=requester,
            channel=approval.channel,
            assurance=Assurance(approval.assurance),
            now_us=now_us,
            seal=seal,
            glass=_still_glass(world, approval),
        )
    except Refusal as refusal:
        return Move(approval=approval.id, proposal=None, why=refusal.message)
    same_policy = proposal.policy.name == approval.policy and proposal.policy.canonical == approval.policy_json
    same_action = approval.bound is None or approval.bound["definition"] == proposal.action.canonical
    if same_policy and same_action and list(proposal.resources) == approval.resources:
        return None
    return Move(approval=approval.id, proposal=proposal, why="its action" if same_policy else "its policy")


def _still_glass(world: World, approval: Approval) -> bool:
    """Whether it goes on by break-glass: its rule is as it was."""
    rule = rule_of(world, approval)
    return bool(approval.glass) and rule is not None and rule.canonical == approval.policy_json


def publish_world(tx: Tx, world: World, found: Matched, closing: bool = True) -> int:
    """`world` is in force; its version. Raises Conflict `changed` when an open request is not as it was matched.

    Without `closing`, or while a group counts as empty because its channel cannot be asked, a request that could not
    be made now stays open: people come back to groups, and deadlines end what waits too long.
    """
    now = {row["id"]: row["version"] for state in _STATES for row in tx.all(_VERSIONS, state=str(state))}
    if found.versions != now:
        raise Conflict("changed", "an open request has just changed")
    before = config_in_force(tx)
    version = publish(tx, world.digest)
    if before != (version, world.digest):
        tx.record(
            "config:changed",
            actor=HUB.id,
            details={"version": version, "digest": world.digest, "before": before[1] or None},
        )
    for move in found.moves:
        if move.proposal is not None or (closing and not world.people.empty):
            _move(tx, move)
    keys.revoke_strangers(tx, lambda each: world.people.find(each) is not None, by=HUB.id)
    sessions.end_strangers(tx, lambda each: world.people.find(each) is not None, by=HUB.id)
    linking.unlink_strangers(tx, world.people, by=HUB.id)
    end_unvouched(tx, world, by=HUB.id)
    return version


def _move(tx: Tx, move: Move) -> None:
    approval = find(tx, move.approval)
    if move.proposal is None:
        to = State.WITHDRAWN if approval.state is State.DRAFT else State.EXPIRED
        close(tx, approval, to, actor=HUB.id, channel=None, why=f"the configuration changed: {move.why}")
        return
    revise(
        tx,
        approval,
        _without_secrets(move.proposal),
        by=HUB.id,
        channel=None,
        reason=approval.reason,
        why=f"the configuration changed {move.why}",
    )


def _without_secrets(proposal: Proposal) -> Proposal:
    """The stored secrets stay: the new revision is made without reading them."""
    return replace(proposal, secrets={})
