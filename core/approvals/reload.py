"""Another configuration comes into force: open requests are matched again in the same transaction.

One whose action or policy changed gets a new revision, its decisions dropped; one that could no longer be made
ends EXPIRED with the reason. A run under way keeps its own configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import or_, select

from core.approvals.approval import Approval, find, from_row
from core.approvals.closing import close
from core.approvals.flags import config_in_force, publish
from core.approvals.proposal import Proposal, Seal, propose
from core.approvals.request import revise
from core.approvals.states import State
from core.errors import Conflict, Refusal
from core.people import keys, sessions
from core.people.assurance import Assurance
from core.people.directory import HUB
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World

_T = schema.approval
_OPEN = Statement(
    select(_T)
    .where(or_(*(_T.c.state == state for state in ("DRAFT", "SUBMITTED", "REVIEWING", "APPROVED"))))
    .order_by(_T.c.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What the new configuration means for one open request: a proposal, or why there can be none."""

    approval: Approval
    proposal: Proposal | None
    why: str


def in_force(tx: Tx, digest: str) -> int | None:
    """The version of the configuration with that digest if it is the one in force, else None."""
    version, current = config_in_force(tx)
    return version if current == digest else None


def matched(reader: Reader, world: World, seal: Seal) -> list[Move]:
    """Every open request under `world`, worked out before the transaction."""
    moves: list[Move] = []
    for row in reader.all(_OPEN):
        approval = from_row(row)
        requester = world.people.find(approval.requester)
        proposal, why = None, ""
        if requester is None:
            why = f"{approval.requester} is no longer in the configuration"
        else:
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
                    now_us=reader.now_us,
                    seal=seal,
                )
            except Refusal as refusal:
                why = refusal.message
        moves.append(Move(approval=approval, proposal=proposal, why=why))
    return moves


def publish_world(tx: Tx, world: World, moves: list[Move]) -> int:
    """`world` is in force; its version. Raises Conflict `changed` when an open request is not as it was matched."""
    seen = {move.approval.id: move.approval.version for move in moves}
    now = {int(row["id"]): int(row["version"]) for row in tx.all(_OPEN)}
    if seen != now:
        raise Conflict("changed", "an open request has just changed")
    before = config_in_force(tx)
    version = publish(tx, world.digest)
    if before != (version, world.digest):
        tx.record(
            "config:changed",
            actor=HUB.id,
            details={"version": version, "digest": world.digest, "before": before[1] or None},
        )
    for move in moves:
        _move(tx, move)
    keys.revoke_strangers(tx, lambda each: world.people.find(each) is not None, by=HUB.id)
    sessions.end_strangers(tx, lambda each: world.people.find(each) is not None, by=HUB.id)
    return version


def _move(tx: Tx, move: Move) -> None:
    approval = find(tx, move.approval.id)
    proposal = move.proposal
    if proposal is None:
        to = State.WITHDRAWN if approval.state is State.DRAFT else State.EXPIRED
        close(tx, approval, to, actor=HUB.id, channel=None, why=f"the configuration changed: {move.why}")
        return
    same_policy = proposal.policy.name == approval.policy and proposal.policy.canonical == approval.policy_json
    same_action = approval.bound is None or approval.bound["definition"] == proposal.action.canonical
    if same_policy and same_action and list(proposal.resources) == approval.resources:
        return
    what = "its policy" if not same_policy else "its action"
    revise(
        tx,
        approval,
        _without_secrets(proposal),
        by=HUB.id,
        channel=None,
        reason=approval.reason,
        why=f"the configuration changed {what}",
    )


def _without_secrets(proposal: Proposal) -> Proposal:
    """The stored secrets stay: the new revision is made without reading them."""
    return replace(proposal, secrets={})
