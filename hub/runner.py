"""Runs of approved requests, in the four steps of DESIGN 3.1.

1. After quorum, the hold window and (for `start: manual`) the call to apply, the run queues for its leases.
2. With the leases held and heartbeats running, files are hashed and the preview is run again, outside any transaction.
3. One guarded transaction consumes the approval and creates the run (`core.approvals.start`).
4. The process is spawned after that commit, and its end is recorded.

Any other end releases the leases in the transaction that causes it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from core.apply.action import Action, HttpSpec
from core.apply.deadline import Deadline
from core.apply.environment import RunMarks
from core.apply.identity import Identity
from core.apply.sealing import Sealer
from core.approvals import secret
from core.approvals.approval import Approval, find, from_row
from core.approvals.digest import comparable, differences
from core.approvals.digest import digest as digest_of
from core.approvals.finish import finish
from core.approvals.flags import halted
from core.approvals.review import reopen
from core.approvals.rule import rule_of
from core.approvals.run import Run, find_run, identify
from core.approvals.start import start
from core.approvals.states import State
from core.clock import SECOND
from core.errors import Conflict, Refusal, Stale
from core.leases.acquiring import acquire
from core.leases.ending import end_for_approval
from core.leases.lease import Lease, Ticket
from core.leases.renewing import heartbeat
from core.leases.request import Acquire
from core.leases.terms import LEASE_LOCKS, RUN
from core.leases.waiting import poll
from core.people.directory import HUB
from core.policy.policy import Policy
from core.store import schema
from core.store.database import Database
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World
from hub.carrying import Act, Carrier, Result
from hub.reviewing import bind, preview_of

TTL_SECONDS = 30.0
_POLL_SECONDS = 2.0
_MAX_HOLD_SECONDS = 24 * 3600.0

_T = schema.approval
_READY = Statement(select(_T).where(_T.c.state == "APPROVED").order_by(_T.c.id))

logger = logging.getLogger("interlock.runner")


def approved(reader: Reader) -> tuple[list[Approval], str | None]:
    """Every approved request, and why nothing may start (None when it may)."""
    return [from_row(row) for row in reader.all(_READY)], halted(reader)


@dataclass(slots=True)
class Live:
    """A run under way in this process."""

    run: int
    approval: int
    stop: asyncio.Event
    output: list[str]


class Runner:
    """Carries approved requests from APPROVED to their end. Wake-ups are hints; the poll is the truth."""

    def __init__(
        self,
        db: Database,
        *,
        world: Callable[[], World],
        carrier: Callable[[], Carrier],
        sealer: Sealer,
    ) -> None:
        self._db = db
        self._world = world
        self._carrier = carrier
        self._sealer = sealer
        self._woken = asyncio.Event()
        self._busy: set[int] = set()
        self._granted: dict[str, asyncio.Event] = {}
        self.live: dict[int, Live] = {}

    def wake(self) -> None:
        """Something may be ready to start."""
        self._woken.set()

    def granted(self, lock_id: str) -> None:
        """A hint that a waiting run's lease was granted."""
        if lock_id in self._granted:
            self._granted[lock_id].set()

    def stop(self, approval: int) -> None:
        """Kill the approval's run, if it runs here."""
        for live in self.live.values():
            if live.approval == approval:
                live.stop.set()

    def stop_all(self) -> None:
        """Kill every run."""
        for live in self.live.values():
            live.stop.set()

    async def run(self) -> None:
        """Until cancelled; what runs then is killed by its executor."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._woken.clear()
                ready, why = await self._db.read(approved)
                now = self._now_us()
                for approval in ready if why is None else []:
                    if approval.id not in self._busy and _may_start(approval, now):
                        self._busy.add(approval.id)
                        tasks.create_task(self._guarded(approval))
                try:
                    async with asyncio.timeout(_pause(ready, now)):
                        await self._woken.wait()
                except TimeoutError:
                    pass

    def _now_us(self) -> int:
        return self._db.now_us()

    async def _guarded(self, approval: Approval) -> None:
        try:
            await self._carry(approval)
        except Refusal as refusal:
            logger.info("%s did not start: %s", approval.name, refusal.message)
            await asyncio.sleep(0.5)
        except Exception:
            logger.exception("carrying %s failed; it will be looked at again", approval.name)
            await asyncio.sleep(_POLL_SECONDS)
        finally:
            self._busy.discard(approval.id)
            self._woken.set()

    async def _carry(self, approval: Approval) -> None:
        holder = secrets.token_hex(8)
        try:
            lease = await self._lease(approval, holder)
            async with self._kept(lease) as deadline:
                approval = await self._db.read(find, approval.id)
                if approval.state is not State.APPROVED:
                    return
                run = await self._start(approval, lease, holder)
                if run is not None:
                    await self._execute(approval, run, lease, deadline)
        except BaseException:
            await self._let_go(approval.id)
            raise
        await self._let_go(approval.id)

    async def _let_go(self, approval: int) -> None:
        """Leases that no run holds are free again; a run's own end has released its leases already."""
        await asyncio.shield(self._db.write(_release_unless_running, approval, locks=LEASE_LOCKS, urgent=True))

    async def _lease(self, approval: Approval, holder: str) -> Lease | None:
        """Step 1: the lease on all of the approval's resources; None when it needs none."""
        if not approval.resources:
            return None
        left = ((approval.apply_expires_at or 0) - self._now_us()) / SECOND
        wanted = Acquire(
            principal=HUB.id,
            resources=tuple(approval.resources),
            ttl_seconds=TTL_SECONDS,
            wait_seconds=max(1.0, left),
            max_hold_seconds=_MAX_HOLD_SECONDS,
            rank_class=RUN,
            purpose=f"{approval.name}: {approval.title}"[:200],
            holder=holder,
            approval=approval.id,
            kind="run",
        )
        got = await self._db.write(acquire, wanted, locks=LEASE_LOCKS)
        if isinstance(got, Lease):
            return got
        return await self._wait(got)

    async def _wait(self, ticket: Ticket) -> Lease:
        granted = self._granted.setdefault(ticket.lock_id, asyncio.Event())
        try:
            while True:
                ticket = await self._db.write(poll, HUB.id, ticket.id, locks=LEASE_LOCKS)
                if ticket.lease is not None:
                    return ticket.lease
                if ticket.state != "waiting":
                    raise Conflict("lease_lost", f"its place in the queue is gone ({ticket.state})")
                granted.clear()
                try:
                    async with asyncio.timeout(_POLL_SECONDS):
                        await granted.wait()
                except TimeoutError:
                    pass
        finally:
            self._granted.pop(ticket.lock_id, None)

    @asynccontextmanager
    async def _kept(self, lease: Lease | None) -> AsyncIterator[Deadline]:
        """Heartbeats run inside; the deadline moves with them and is where all work must have stopped."""
        deadline = Deadline()
        if lease is None:
            yield deadline
            return
        deadline.move(time.monotonic() + lease.ttl_seconds * 0.9)
        beating = asyncio.create_task(self._beat(lease, deadline))
        try:
            yield deadline
        finally:
            beating.cancel()

    async def _beat(self, lease: Lease, deadline: Deadline) -> None:
        while True:
            await asyncio.sleep(lease.ttl_seconds / 3)
            sent = time.monotonic()
            try:
                await self._db.write(heartbeat, HUB.id, lease.lock_id, lease.token, locks=LEASE_LOCKS, urgent=True)
                deadline.move(sent + lease.ttl_seconds * 0.9)
            except Refusal as refusal:
                logger.warning("lease %s is lost: %s", lease.lock_id, refusal.code)
                deadline.move(sent)
                return
            except Exception:
                logger.exception("a heartbeat of %s failed; it is tried again before its deadline", lease.lock_id)

    async def _start(self, approval: Approval, lease: Lease | None, holder: str) -> Run | None:
        """Steps 2 and 3; None when the world moved and the request went back to review."""
        world = self._world()
        action = world.actions.get(approval.action)
        policy = rule_of(world, approval)
        if action is None or policy is None:
            raise Conflict("policy_changed", f"the action or policy of {approval.name} is no longer configured")
        sealed = await self._db.read(secret.sealed_of, approval.id)
        now = await self._bound_now(approval, action, policy, sealed)
        if digest_of(now) != approval.digest:
            await self._db.write(_reopen, approval, now, policy, locks=LEASE_LOCKS)
            return None
        number = await self._db.write(
            _start, world, approval.id, approval.version, digest_of(now), lease, holder, locks=LEASE_LOCKS, urgent=True
        )
        return await self._db.read(find_run, number)

    async def _bound_now(
        self, approval: Approval, action: Action, policy: Policy, sealed: Mapping[str, bytes]
    ) -> dict[str, Any]:
        """The bound value as of now; a preview that is equal where it must be counts as the one that was shown."""
        carrier = self._carrier()
        try:
            preview = await preview_of(carrier, action, approval.params)
        except Refusal as refusal:
            preview = {"exit": None, "output": refusal.message}
        if (
            action.preview is not None
            and approval.preview is not None
            and preview is not None
            and comparable(preview, action.preview.compare) == comparable(approval.preview, action.preview.compare)
        ):
            preview = dict(approval.preview)
        return await bind(carrier, approval, action, policy, sealed, preview, revision=approval.revision)

    async def _execute(self, approval: Approval, run: Run, lease: Lease | None, deadline: Deadline) -> None:
        """Step 4: the operation runs, and its end is recorded whatever happens."""
        action = self._world().actions[approval.action]
        live = Live(run=run.id, approval=approval.id, stop=asyncio.Event(), output=[])
        self.live[run.id] = live
        try:
            result = await self._act(approval, action, run, live, deadline)
        except Refusal as refusal:  # nothing was started
            result = Result(outcome="failed", exit_code=None, output="", dropped=0, why=refusal.message)
        except BaseException:
            result = Result(outcome="unknown", exit_code=None, output="", dropped=0, why="the hub stopped watching it")
            await self._finish(run, action, result)
            raise
        finally:
            self.live.pop(run.id, None)
        await self._finish(run, action, result)

    async def _act(self, approval: Approval, action: Action, run: Run, live: Live, deadline: Deadline) -> Result:
        sealed = await self._db.read(secret.sealed_of, approval.id)
        opened = {name: self._sealer.open(value, f"{approval.action}|{name}") for name, value in sealed.items()}
        if (await self._db.read(find_run, run.id)).stop_asked_at is not None:
            live.stop.set()

        async def on_started(identity: Identity) -> None:
            await self._db.write(identify, run.id, identity.to_json(), urgent=True)

        if isinstance(action.apply, HttpSpec):  # nothing to kill, but recovery must know that it may have been sent
            await self._db.write(identify, run.id, {"http": True}, urgent=True)
        act = Act(
            marks=RunMarks(approval=approval.name, run=run.name, fence=run.token),
            secrets=opened,
            stop=live.stop,
            deadline=deadline,
            on_started=on_started,
            on_output=live.output.append,
        )
        return await self._carrier().act(action.apply, approval.params, act)

    async def _finish(self, run: Run, action: Action, result: Result) -> None:
        await asyncio.shield(
            self._db.write(_finish, run.id, result, action.on_unknown == "keep", locks=LEASE_LOCKS, urgent=True)
        )


def _may_start(approval: Approval, now: int) -> bool:
    if approval.start == "manual" and approval.apply_asked_at is None:
        return False
    return approval.hold_until is None or approval.hold_until <= now


def _pause(ready: list[Approval], now: int) -> float:
    """Seconds until the poll, sooner when a hold window ends before it."""
    ends = [(each.hold_until - now) / SECOND for each in ready if each.hold_until and each.hold_until > now]
    return max(0.02, min([_POLL_SECONDS, *ends]))


def _start(tx: Tx, world: World, number: int, version: int, digest: str, lease: Lease | None, holder: str) -> int:
    approval = find(tx, number)
    if approval.version != version:
        raise Stale("changed", f"{approval.name} changed while its start was prepared")
    return start(tx, world, approval, digest=digest, lease=lease, holder=holder)


def _reopen(tx: Tx, seen: Approval, bound: Mapping[str, Any], policy: Policy) -> None:
    approval = find(tx, seen.id)
    if approval.version != seen.version or approval.state is not State.APPROVED:
        raise Stale("changed", f"{approval.name} changed while its start was prepared")
    renewed = {**bound, "revision": approval.revision + 1}
    reopen(
        tx,
        approval,
        bound=renewed,
        preview=renewed["preview"],
        policy=policy,
        changed=differences(approval.bound or {}, bound),
    )
    end_for_approval(tx, approval.id)


def _release_unless_running(tx: Tx, number: int) -> None:
    if find(tx, number).state is not State.APPLYING:
        end_for_approval(tx, number)


def _finish(tx: Tx, number: int, result: Result, keep_closed: bool) -> bool:
    run = find_run(tx, number)
    why = result.why
    if run.stop_by is not None and result.outcome != "completed":
        why = f"stopped by {run.stop_by}" + (f" ({why})" if why else "")
    return finish(
        tx,
        run,
        state=result.outcome,
        exit_code=result.exit_code,
        why=why,
        output=result.output,
        dropped=result.dropped,
        keep_closed=keep_closed,
    )
