"""From SUBMITTED on: validate, preview twice, bind, and hand it to people."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from itertools import islice
from typing import Any

from core.apply.action import Action
from core.apply.fingerprint import fingerprint
from core.approvals import secret
from core.approvals.approval import Approval, find
from core.approvals.digest import comparable
from core.approvals.flags import is_in_force
from core.approvals.paging import each_in
from core.approvals.proposal import bound_value, described, executables, rendered
from core.approvals.review import Checked, enter_review
from core.approvals.rule import rule_of
from core.approvals.states import State
from core.errors import Conflict, Refusal
from core.policy.policy import Policy
from core.store.database import Database
from core.store.rows import Reader
from core.store.tx import Tx
from core.world import World
from hub.carrying import Carrier, Result

_AT_ONCE = 4
_MOST_BUSY = 200
"""Requests that are being checked or wait for their turn; the others wait in the database."""
_POLL_SECONDS = 5.0

logger = logging.getLogger("interlock.reviewing")


def submitted(reader: Reader, busy: Collection[int], most: int) -> list[Approval]:
    """The oldest requests that wait to be checked and are not `busy`."""
    return list(islice((each for each in each_in(reader, State.SUBMITTED) if each.id not in busy), most))


class Reviewing:
    """Checks submissions, a few at a time. `wake` is a hint; the poll is the truth."""

    def __init__(self, db: Database, world: Callable[[], World], carrier: Callable[[], Carrier]) -> None:
        self._db = db
        self._world = world
        self._carrier = carrier
        self._woken = asyncio.Event()
        self._busy: set[int] = set()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._woken.clear()
                for approval in await self._db.read(submitted, frozenset(self._busy), _MOST_BUSY - len(self._busy)):
                    self._busy.add(approval.id)
                    tasks.create_task(self._guarded(approval))
                try:
                    async with asyncio.timeout(_POLL_SECONDS):
                        await self._woken.wait()
                except TimeoutError:
                    pass

    async def _guarded(self, approval: Approval) -> None:
        try:
            async with self._slots:
                await self._check(approval)
        except Refusal as refusal:
            logger.info("%s was not checked to the end: %s", approval.name, refusal.code)
        except Exception:
            logger.exception("checking %s failed; it will be tried again", approval.name)
        finally:
            self._busy.discard(approval.id)
            if len(self._busy) == _MOST_BUSY - 1:
                self._woken.set()

    async def _check(self, approval: Approval) -> None:
        world = self._world()
        action = world.actions.get(approval.action)
        policy = rule_of(world, approval)
        if action is None or policy is None or policy.canonical != approval.policy_json:
            checked = Checked(
                validation=[], preview=None, bound=None, problems=["its action or policy is no longer configured"]
            )
            policy = policy or Policy(name=approval.policy)
        else:
            sealed = await self._db.read(secret.sealed_of, approval.id)
            checked = await self.check(approval, action, policy, sealed)
        await self._db.write(_enter, world, approval.id, approval.version, checked, policy, urgent=True)
        self._woken.set()

    async def check(self, approval: Approval, action: Action, policy: Policy, sealed: Mapping[str, bytes]) -> Checked:
        """What validation and preview say of `approval` now."""
        carrier = self._carrier()
        problems: list[str] = []
        validation: list[dict[str, Any]] = []
        for operation in action.validate:
            shown = described(rendered(operation, approval.params))
            try:
                result = await carrier.look(operation, approval.params)
            except Refusal as refusal:
                problems.append(refusal.message)
                validation.append({**shown, "exit": None, "output": refusal.message})
                continue
            validation.append({**shown, "exit": result.exit_code, "output": result.output})
            if result.outcome != "completed":
                problems.append(f"validation {operation_name(shown)} ended with {result.why}")
        preview = None
        undo = None
        bound = None
        try:
            if not problems:
                preview = await self._preview_twice(carrier, action, approval.params, problems)
            undo = await self._rollback_preview(carrier, action, approval.params) if not problems else None
            bound = await bind(
                carrier, approval, action, policy, sealed, preview, revision=approval.revision, rollback_preview=undo
            )
        except Refusal as refusal:
            problems.append(refusal.message)
        return Checked(validation=validation, preview=preview, bound=bound, problems=problems, rollback_preview=undo)

    async def _rollback_preview(
        self, carrier: Carrier, action: Action, params: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """What a rollback would do, as it looks now. Raises Conflict `preview_failed` when it cannot say."""
        if action.rollback_preview is None:
            return None
        result = await carrier.look(action.rollback_preview, params)
        shown = described(rendered(action.rollback_preview, params))
        if result.outcome != "completed":
            raise Conflict("preview_failed", f"the rollback's preview {operation_name(shown)} ended with {result.why}")
        return {**shown, "exit": result.exit_code, "output": result.output}

    async def _preview_twice(
        self, carrier: Carrier, action: Action, params: Mapping[str, Any], problems: list[str]
    ) -> dict[str, Any] | None:
        if action.preview is None:
            return None
        first = await preview_of(carrier, action, params)
        second = await preview_of(carrier, action, params)
        assert first is not None and second is not None
        if comparable(first, action.preview.compare) != comparable(second, action.preview.compare):
            problems.append(
                "the preview said two different things in a row, so nobody could approve what will run; "
                "set `compare: exit` or `compare: line` if the rest may differ"
            )
        return first


def operation_name(shown: Mapping[str, Any]) -> str:
    """A short name of an operation, for messages."""
    command = shown.get("command")
    return repr(command[0]) if command else repr(shown.get("http", {}).get("url", "?"))


async def preview_of(carrier: Carrier, action: Action, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the preview shows now; None for an action without one. Raises Conflict `preview_failed` when it cannot say."""
    if action.preview is None:
        return None
    result: Result = await carrier.look(action.preview.operation, params)
    shown = described(rendered(action.preview.operation, params))
    if result.outcome == "unknown" or (result.outcome == "failed" and action.preview.compare != "exit"):
        raise Conflict(
            "preview_failed", f"the preview {operation_name(shown)} ended with {result.why}: {result.output[-400:]}"
        )
    return {**shown, "exit": result.exit_code, "output": result.output, "sha256": result.sha256}


async def bind(
    carrier: Carrier,
    approval: Approval,
    action: Action,
    policy: Policy,
    sealed: Mapping[str, bytes],
    preview: Mapping[str, Any] | None,
    *,
    revision: int,
    rollback_preview: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The bound value of a revision as the world is now; the rollback's preview is bound as it was shown."""
    prints = await fingerprint(carrier.root, action.files, executables=executables(action, approval.params))
    return bound_value(
        action=action,
        policy=policy,
        params=approval.params,
        secrets=sealed,
        resources=tuple(approval.resources),
        requester=approval.requester,
        approval=approval.name,
        revision=revision,
        fingerprints=prints,
        preview=preview,
        rollback_preview=rollback_preview,
    )


def _enter(tx: Tx, world: World, number: int, version: int, checked: Checked, policy: Policy) -> State | None:
    approval = find(tx, number)
    if approval.version != version or approval.state is not State.SUBMITTED:
        return None  # it was edited or ended meanwhile; the newer revision is checked on its own
    if not is_in_force(tx, world):
        return None  # it is checked again under the configuration of now
    return enter_review(tx, world, approval, checked, policy)
