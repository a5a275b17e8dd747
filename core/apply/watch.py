"""The hub's watch over one command that waits at its keeper's gate, until nothing of it is left."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Protocol

from core.apply.deadline import Deadline
from core.apply.exit import Status
from core.apply.identity import Identity
from core.apply.keeping import Keeper
from core.apply.reaper import Proof, kill_recorded

GRACE_SECONDS = 2.0
"""Between SIGTERM and SIGKILL. A lost lease has no grace: somebody else may hold the resource the next moment."""

STOP_SECONDS = 4.5
"""A keeper that has not reported so long after it was told to stop is passed over: the hub kills by itself."""

LATE_SECONDS = 5.5
"""The same after the timeout or the lease's deadline, at which a keeper acts untold."""

_REASONS: dict[str, Status] = {
    "timed_out": "timed_out",
    "stopped": "stopped",
    "lease_lost": "lease_lost",
    "hub_gone": "lost",
}


class Stop(Protocol):
    """Told once that a run must stop; an `asyncio.Event` is one."""

    def is_set(self) -> bool: ...

    async def wait(self) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What is known of a command's end."""

    status: Status
    code: int | None = None
    signal: int | None = None
    reaped: bool
    leftovers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverRan:
    """The step and the errno that kept the command from being started."""

    step: str
    errno: int


class Watch:
    """One command behind its gate, and what may end it."""

    def __init__(
        self,
        keeper: Keeper,
        identity: Identity,
        *,
        stop: Stop,
        deadline: Deadline,
        timeout_seconds: float,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._keeper = keeper
        self._identity = identity
        self._stop = stop
        self._deadline = deadline
        self._timeout_at = time.monotonic() + timeout_seconds
        self._grace_seconds = grace_seconds

    async def until_dead(self) -> End | NeverRan:
        """The gate was opened and the command has ended, or it could not be started. Cancelling kills it first."""
        try:
            heard = await self._heard()
        except asyncio.CancelledError:
            await asyncio.shield(self._abandon())
            raise
        if heard is not None and "failed" in heard:
            return NeverRan(**heard["failed"])
        ended = heard["ended"] if heard else None
        if ended and ended["reaped"]:
            return _seen(ended, reaped=True)
        # The keeper died, is stuck, or cannot vouch for the end: kill and look from here.
        proof = await asyncio.to_thread(kill_recorded, self._identity)
        reaped = proof is not Proof.SURVIVES
        return _seen(ended, reaped=reaped) if ended else End(status=self._unseen(), reaped=reaped)

    async def _abandon(self) -> None:
        """Nothing of the command runs, as far as this process can see and kill."""
        await self._keeper.leave()
        await asyncio.to_thread(kill_recorded, self._identity)

    async def _heard(self) -> dict[str, Any] | None:
        """The keeper's last word; None when it died or kept silent for too long."""
        async with asyncio.TaskGroup() as tasks:
            forwards: list[asyncio.Task[None]] = []
            try:
                async with asyncio.timeout(None) as patience:
                    self._be_patient(patience)
                    await self._keeper.say(
                        {
                            "go": True,
                            "timeout_at": self._timeout_at,
                            "lease_at": self._deadline.at,
                            "grace_seconds": self._grace_seconds,
                        }
                    )
                    forwards.append(tasks.create_task(self._forward_deadline(patience)))
                    forwards.append(tasks.create_task(self._forward_stop(patience)))
                    while (message := await self._keeper.hear()) is not None:
                        if "failed" in message or "ended" in message:
                            break
            except TimeoutError:
                message = None
            finally:
                for task in forwards:
                    task.cancel()
        return message

    async def _forward_deadline(self, patience: asyncio.Timeout) -> None:
        while True:
            at = await self._deadline.moved()
            self._be_patient(patience)
            await self._keeper.say({"lease_at": at})

    async def _forward_stop(self, patience: asyncio.Timeout) -> None:
        await self._stop.wait()
        self._be_patient(patience, stopped=True)
        await self._keeper.say({"stop": True})

    def _be_patient(self, patience: asyncio.Timeout, *, stopped: bool = False) -> None:
        """The keeper has until then to report."""
        loop = asyncio.get_running_loop()
        now = time.monotonic()
        until = min(self._timeout_at, self._deadline.at or self._timeout_at) - now + LATE_SECONDS
        if stopped or self._stop.is_set():
            already = patience.when()
            until = min(until, STOP_SECONDS, already - loop.time() if already is not None else until)
        patience.reschedule(loop.time() + until)

    def _unseen(self) -> Status:
        """Why a command whose end nobody saw must have been killed."""
        now = time.monotonic()
        if self._stop.is_set():
            return "stopped"
        if self._deadline.at is not None and now >= self._deadline.at:
            return "lease_lost"
        return "timed_out" if now >= self._timeout_at else "lost"


def _seen(ended: dict[str, Any], *, reaped: bool) -> End:
    reason, number = ended["reason"], ended["signal"]
    status: Status = _REASONS[reason] if reason else "exited" if number is None else "signalled"
    return End(status=status, code=ended["code"], signal=number, reaped=reaped, leftovers=ended["leftovers"])
