"""The third of a run's four steps: one transaction in which an approval is consumed and its run is created (P1, P3)."""

from __future__ import annotations

from core.approvals.approval import Approval, change
from core.approvals.backing import backed
from core.approvals.flags import halted, is_in_force
from core.approvals.freeze import demand_thawed
from core.approvals.rule import rule_in_force
from core.approvals.run import insert_run
from core.approvals.states import State
from core.errors import Conflict, Stale
from core.ids import parse, show
from core.leases.fence import raise_fence
from core.leases.lease import Lease
from core.leases.proving import prove_held
from core.people.directory import HUB
from core.store.tx import Tx
from core.world import World


def start(
    tx: Tx,
    world: World,
    approval: Approval,
    *,
    digest: str,
    lease: Lease | None,
    holder: str,
    stash: bytes | None = None,
) -> int:
    """The approval is APPLYING and its run exists; the run's number. The process is spawned after this commit.

    Guarded by state, version, apply clock, hold window, halt, configuration version and the lease with its token;
    counts the recorded decisions again with the people and groups of now. Raises Conflict or Stale, and then nothing
    has happened.
    """
    if (why := halted(tx)) is not None:
        raise Conflict("halted", f"everything is stopped: {why}")
    if not is_in_force(tx, world):
        raise Stale("config_changed", "the configuration has just changed")
    if digest != approval.digest:
        raise Stale("world_moved", f"what {approval.name} would do is no longer what was approved")
    if approval.hold_until is not None and approval.hold_until > tx.now_us:
        raise Conflict("holding", f"{approval.name} is in its hold window")
    demand_thawed(tx, world, approval, "started")
    policy = rule_in_force(world, approval)
    rests = backed(tx, world, approval, policy)
    if not rests.satisfied:
        raise Conflict(
            "no_longer_satisfied", f"the decisions on {approval.name} no longer satisfy policy {policy.name}"
        )
    token = lease.token if lease is not None else tx.now_us
    if lease is not None:
        prove_held(tx, parse("L", lease.lock_id), token)
        raise_fence(tx, approval.resources, token)
    run = insert_run(
        tx,
        approval=approval.id,
        kind="apply",
        token=token,
        lock_id=parse("L", lease.lock_id) if lease is not None else None,
        holder=holder,
        stash=stash,
    )
    change(tx, approval, to=State.APPLYING, before="apply_expires_at", run=run)
    tx.record(
        "apply:started",
        actor=HUB.id,
        subject=approval.name,
        details={
            "state": "APPLYING",
            "run": show("R", run),
            "token": token,
            "digest": digest,
            "lease": lease.lock_id if lease is not None else None,
            "config": world.version,
            "by": list(rests.by),
            "ground": dict(rests.ground),
            **({"glass": True} if approval.glass else {}),
        },
    )
    return run
