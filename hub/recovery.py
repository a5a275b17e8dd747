"""After a crash: what ran is dead or its resources stay closed, and nothing runs twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from core.apply.identity import Identity
from core.apply.reaper import Proof, kill_recorded
from core.approvals.approval import find
from core.approvals.finish import finish
from core.approvals.run import Run, running
from core.leases.terms import LEASE_LOCKS
from core.store.database import Database
from core.store.tx import Tx
from core.work.work import BY_AGENT
from core.world import World

logger = logging.getLogger("interlock.recovery")


async def recover(db: Database, world: Callable[[], World]) -> int:
    """Every run that a former hub left behind has an end; how many.

    A run whose process was never let go has FAILED: nothing of it ran. Of any other nobody saw the end, so it is
    UNKNOWN after its process group was killed, and a person resolves it; what it had printed by then stays to be read.
    What an agent carries out goes on without us.
    """
    left = [run for run in await db.read(running) if run.process != BY_AGENT]
    for run in left:
        if run.process is None:
            await db.write(_end, run.id, "failed", "the hub ended before the command began", True, locks=LEASE_LOCKS)
            continue
        proof = (
            await asyncio.to_thread(kill_recorded, Identity.from_json(run.process)) if "pid" in run.process else None
        )
        why = "the hub ended while it ran"
        if proof is Proof.SURVIVES:
            why += "; something of it may still be alive"
        action = world().actions.get((await db.read(find, run.approval)).action)
        keep = action is None or action.on_unknown == "keep" or proof is Proof.SURVIVES
        await db.write(_end, run.id, "unknown", why, keep, locks=LEASE_LOCKS)
        logger.warning("%s was left behind: %s", run.name, why)
    return len(left)


def _end(tx: Tx, number: int, state: str, why: str, keep: bool) -> None:
    run: Run = next(each for each in running(tx) if each.id == number)
    assert state in ("failed", "unknown")
    finish(
        tx,
        run,
        state="failed" if state == "failed" else "unknown",
        exit_code=None,
        why=why,
        output=(run.output or b"").decode(errors="replace"),
        dropped=run.output_dropped,
        keep_closed=keep,
    )
