"""Runs of approved requests and of their rollbacks, in the four steps of DESIGN 3.1.

1. After quorum, the hold window and (for `start: manual`) the call to apply, the run queues for its leases.
2. With the leases held and heartbeats running, files are hashed, the preview is run again and the action's `stash` says
   what a rollback will need, outside any transaction.
3. One guarded transaction consumes the approval and creates the run (`core.approvals.start`, `core.approvals.rollback`).
4. The process is spawned after that commit, and its end is recorded.

Any other end releases the leases in the transaction that causes it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any

from core.apply.action import Action, AgentSpec, HttpSpec
from core.apply.deadline import Deadline
from core.apply.environment import RunMarks
from core.apply.identity import Identity
from core.apply.sealing import Sealer
from core.approvals import secret
from core.approvals.approval import Approval, find
from core.approvals.decide import recount
from core.approvals.digest import differences
from core.approvals.digest import digest as digest_of
from core.approvals.finish import finish
from core.approvals.flags import halted
from core.approvals.freeze import freezes
from core.approvals.paging import each_in
from core.approvals.review import reopen
from core.approvals.rollback import asked, call_off, call_off_unwanted, start_rollback
from core.approvals.rule import rule_of
from core.approvals.run import Run, find_run, identify
from core.approvals.start import start
from core.approvals.states import State
from core.audit.log import Committed
from core.clock import SECOND
from core.errors import Conflict, Refusal, Stale
from core.leases.ending import end_for_approval
from core.leases.lease import Lease
from core.leases.terms import LEASE_LOCKS
from core.policy.policy import Policy
from core.store.database import Database
from core.store.rows import Reader
from core.store.tx import Tx
from core.world import World
from hub.attempts import attempts
from hub.attending import Attending, left_to_agents
from hub.carrying import Act, Carrier, Result
from hub.holding import Holding
from hub.live import Live
from hub.preparing import bound_now, moved, stashed

_POLL_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 30.0
_MOST_REMEMBERED = 1_000

_MOST_READY = 1_000
"""Approved requests that one look takes up, those that wait for their leases among them."""

logger = logging.getLogger("interlock.runner")


def approved(reader: Reader, world: World) -> tuple[list[Approval], str | None]:
    """The oldest approved requests that are not frozen and the decided rollbacks, and why nothing may start (None: it may)."""
    now = freezes(reader, world)
    thawed = (
        each
        for each in each_in(reader, State.APPROVED)
        if each.override_at is not None or not any(freeze.covers(each.resources) for freeze in now)
    )
    return [*islice(thawed, _MOST_READY), *asked(reader)], halted(reader)


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
        self._refused: dict[int, tuple[int, int]] = {}
        """Approval -> its version at the last refused start, and how often it was refused at that version."""
        self._holding = Holding(db)
        self._attending = Attending(db, self._holding)
        self.live: dict[int, Live] = {}

    def wake(self) -> None:
        """Something may be ready to start."""
        self._woken.set()

    def notice(self, entries: list[Committed]) -> None:
        """Runs that wait have the leases that these entries grant."""
        self._holding.notice(entries)

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
            for run in await self._db.read(left_to_agents):
                tasks.create_task(self._attending.adopt(run))
            while True:
                self._woken.clear()
                ready, why = await self._db.read(approved, self._world())
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
            if refusal.code == "no_longer_satisfied":
                rule = recount if approval.state is State.APPROVED else call_off_unwanted
                await self._db.write(rule, self._world(), approval.id, locks=LEASE_LOCKS, urgent=True)
            await asyncio.sleep(self._pause_after_refusal(approval))
        except Exception:
            logger.exception("carrying %s failed; it will be looked at again", approval.name)
            await asyncio.sleep(_POLL_SECONDS)
        finally:
            self._busy.discard(approval.id)
            self._woken.set()

    def _pause_after_refusal(self, approval: Approval) -> float:
        """Seconds until it is tried again: longer each time that nothing about it has changed."""
        before = self._refused.get(approval.id)
        times = before[1] + 1 if before is not None and before[0] == approval.version else 0
        self._refused[approval.id] = (approval.version, times)
        while len(self._refused) > _MOST_REMEMBERED:
            self._refused.pop(next(iter(self._refused)))
        return float(min(_LONGEST_PAUSE_SECONDS, 0.5 * 2**times))

    async def _carry(self, approval: Approval) -> None:
        holder = secrets.token_hex(8)
        try:
            lease = await self._holding.take(approval, holder)
            async with self._holding.kept(lease) as deadline:
                was, approval = approval.state, await self._db.read(find, approval.id)
                if approval.state is not was:
                    return
                prepare = self._apply if was is State.APPROVED else self._rollback
                run = await prepare(approval, lease, holder)
                if run is not None:
                    await self._execute(approval, run, deadline)
        except BaseException:
            await self._holding.let_go(approval.id)
            raise
        await self._holding.let_go(approval.id)

    async def _apply(self, approval: Approval, lease: Lease | None, holder: str) -> Run | None:
        """Steps 2 and 3 of an apply; None when the world moved and the request went back to review."""
        action, policy = self._in_force(approval)
        sealed = await self._db.read(secret.sealed_of, approval.id)
        now = await bound_now(self._carrier(), approval, action, policy, sealed)
        if digest_of(now) != approval.digest:
            await self._db.write(_reopen, approval, now, policy, locks=LEASE_LOCKS)
            return None
        stash = await stashed(self._carrier(), approval, action)
        number = await self._db.write(
            _start,
            self._world(),
            approval.id,
            approval.version,
            digest_of(now),
            lease,
            holder,
            stash,
            locks=LEASE_LOCKS,
            urgent=True,
        )
        return await self._db.read(find_run, number)

    async def _rollback(self, approval: Approval, lease: Lease | None, holder: str) -> Run | None:
        """Steps 2 and 3 of a rollback; None when what would run is no longer what was approved."""
        action, _ = self._in_force(approval)
        why = await moved(self._carrier(), approval, action)
        if why is not None:
            await self._db.write(_call_off, approval.id, approval.version, why, locks=LEASE_LOCKS)
            return None
        number = await self._db.write(
            _start_rollback,
            self._world(),
            approval.id,
            approval.version,
            lease,
            holder,
            locks=LEASE_LOCKS,
            urgent=True,
        )
        return await self._db.read(find_run, number)

    def _in_force(self, approval: Approval) -> tuple[Action, Policy]:
        world = self._world()
        action, policy = world.actions.get(approval.action), rule_of(world, approval)
        if action is None or policy is None:
            raise Conflict("policy_changed", f"the action or policy of {approval.name} is no longer configured")
        return action, policy

    async def _execute(self, approval: Approval, run: Run, deadline: Deadline) -> None:
        """Step 4: the operation runs, and its end is recorded whatever happens."""
        action = self._world().actions[approval.action]
        if run.kind == "apply" and isinstance(action.apply, AgentSpec):
            await self._attending.offer(run, action, deadline)
            return
        with self._followed(run) as live:
            try:
                result = await self._act(approval, action, run, live, deadline)
            except Refusal as refusal:  # nothing was started
                result = Result(outcome="failed", exit_code=None, output="", dropped=0, why=refusal.message)
            except BaseException:
                gone = "the hub stopped watching it"
                result = Result(outcome="unknown", exit_code=None, output="", dropped=0, why=gone)
                await self._finish(run, action, live, result)
                raise
            await self._finish(run, action, live, result)

    @contextmanager
    def _followed(self, run: Run) -> Iterator[Live]:
        """What the run prints is there to be read, here and in the database, until its end is stored."""
        live = self.live[run.id] = Live(run=run.id, approval=run.approval)
        saving = asyncio.create_task(live.save(self._db))
        try:
            yield live
        finally:
            saving.cancel()
            self.live.pop(run.id, None)
            live.end()

    async def _act(self, approval: Approval, action: Action, run: Run, live: Live, deadline: Deadline) -> Result:
        sealed = await self._db.read(secret.sealed_of, approval.id)
        opened = {name: self._sealer.open(value, f"{approval.action}|{name}") for name, value in sealed.items()}
        if (await self._db.read(find_run, run.id)).stop_asked_at is not None:
            live.stop.set()

        async def on_started(identity: Identity) -> None:
            await self._db.write(identify, run.id, identity.to_json(), urgent=True)

        operation = action.apply if run.kind == "apply" else action.rollback
        assert operation is not None
        assert not isinstance(operation, AgentSpec)
        if isinstance(operation, HttpSpec):  # nothing to kill, but recovery must know that it may have been sent
            await self._db.write(identify, run.id, {"http": True}, urgent=True)
        act = Act(
            marks=RunMarks(
                approval=approval.name,
                run=run.name,
                fence=run.token,
                stash=await self._db.read(_stash_for, approval) if run.kind == "rollback" else None,
            ),
            secrets=opened,
            stop=live.stop,
            deadline=deadline,
            on_started=on_started,
            on_output=live.say,
        )

        async def once() -> Result:
            return await self._carrier().act(operation, approval.params, act)

        if run.kind == "rollback" or not action.retry_safe:
            return await once()
        return await attempts(once, stop=live.stop, deadline=deadline, say=live.say)

    async def _finish(self, run: Run, action: Action, live: Live, result: Result) -> None:
        """The end is stored, with what is kept of all that the run printed, however often it was tried."""
        said = replace(result, output=live.printed.text(), dropped=live.printed.dropped)
        await asyncio.shield(
            self._db.write(_finish, run.id, said, action.on_unknown == "keep", locks=LEASE_LOCKS, urgent=True)
        )


def _may_start(approval: Approval, now: int) -> bool:
    if approval.state is not State.APPROVED:
        return True
    if approval.start == "manual" and approval.apply_asked_at is None:
        return False
    return approval.hold_until is None or approval.hold_until <= now


def _pause(ready: list[Approval], now: int) -> float:
    """Seconds until the poll, sooner when a hold window ends before it."""
    ends = [(each.hold_until - now) / SECOND for each in ready if each.hold_until and each.hold_until > now]
    return max(0.02, min([_POLL_SECONDS, *ends]))


def _as_seen(tx: Tx, number: int, version: int) -> Approval:
    approval = find(tx, number)
    if approval.version != version:
        raise Stale("changed", f"{approval.name} changed while its start was prepared")
    return approval


def _start(
    tx: Tx,
    world: World,
    number: int,
    version: int,
    digest: str,
    lease: Lease | None,
    holder: str,
    stash: bytes | None,
) -> int:
    approval = _as_seen(tx, number, version)
    return start(tx, world, approval, digest=digest, lease=lease, holder=holder, stash=stash)


def _start_rollback(tx: Tx, world: World, number: int, version: int, lease: Lease | None, holder: str) -> int:
    return start_rollback(tx, world, _as_seen(tx, number, version), lease=lease, holder=holder)


def _call_off(tx: Tx, number: int, version: int, why: str) -> None:
    call_off(tx, _as_seen(tx, number, version), why)


def _stash_for(reader: Reader, approval: Approval) -> str | None:
    """What the apply stashed for its rollback."""
    stash = find_run(reader, approval.run).stash if approval.run is not None else None
    return stash.decode() if stash is not None else None


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
