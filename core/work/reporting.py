"""What an agent says of its work: that it goes on, what it printed and made, how it ended. Each proves itself by the claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import BigInteger, bindparam, update

from core import ids
from core.approvals.finish import finish
from core.approvals.run import find_run
from core.clock import SECOND
from core.errors import Conflict, Invalid, TooLarge
from core.people.directory import Principal
from core.store import schema
from core.store.encoding import dump
from core.store.statement import Statement
from core.store.tx import Tx
from core.work.work import Work, find_work

MOST_REPORT = 65_536
"""Bytes of one report's output."""
MOST_OUTPUT = 262_144
"""Bytes that are kept of all reports; the rest is counted."""
MOST_ARTIFACTS = 20
_NOTE_EVERY_SECONDS = 10.0

_T = schema.work
_REPORT = Statement(
    update(_T)
    .where(
        _T.c.run == bindparam("w_run"),
        _T.c.state == "claimed",
        _T.c.claim == bindparam("w_claim"),
        _T.c.expires_at > bindparam("now", type_=BigInteger()),
    )
    .values(
        expires_at=bindparam("expires_at"),
        reported_at=bindparam("reported_at"),
        progress=bindparam("progress"),
        output=bindparam("output"),
        dropped=bindparam("dropped"),
        artifacts=bindparam("artifacts"),
    )
)
_END = Statement(update(_T).where(_T.c.run == bindparam("w_run"), _T.c.state != "ended").values(state="ended"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an agent says: a line of progress, output to append, things that it made. All of it is its claim."""

    progress: str | None = None
    output: str = ""
    artifacts: tuple[Mapping[str, Any], ...] = ()


def report(tx: Tx, agent: Principal, run: str, claim: str, said: Report, *, channel: str) -> tuple[Work, bool]:
    """The work goes on; the work, and whether somebody wants it stopped.

    Raises NotFound, Conflict `work_lost` for a claim that no longer stands, TooLarge.
    """
    work = _demand_claim(tx, agent, run, claim)
    output = said.output.encode()
    if len(output) > MOST_REPORT:
        raise TooLarge("report_too_large", f"one report holds at most {MOST_REPORT // 1024} KB of output")
    artifacts = (*work.artifacts, *said.artifacts)
    if len(artifacts) > MOST_ARTIFACTS:
        raise TooLarge("too_many_artifacts", f"one run has at most {MOST_ARTIFACTS} artifacts")
    kept = (work.output + output)[:MOST_OUTPUT]
    due = work.reported_at is None or tx.now_us - work.reported_at >= _NOTE_EVERY_SECONDS * SECOND
    note = bool(said.artifacts) or (said.progress is not None and said.progress != work.progress and due)
    changed = tx.run(
        _REPORT,
        w_run=work.run,
        w_claim=claim,
        now=tx.now_us,
        expires_at=min(tx.now_us + work.ttl_us, work.until),
        reported_at=tx.now_us if note else work.reported_at,
        progress=said.progress if said.progress is not None else work.progress,
        output=kept,
        dropped=work.dropped + len(work.output) + len(output) - len(kept),
        artifacts=dump(list(artifacts)),
    )
    if changed != 1:
        raise _lost(work)
    if note:
        tx.record(
            "apply:progress",
            actor=agent.id,
            subject=work.about,
            channel=channel,
            details={"run": work.name},
            private={"progress": said.progress or "", "artifacts": [dict(each) for each in said.artifacts]},
        )
    found = find_work(tx, work.run)
    assert found is not None
    return found, find_run(tx, work.run).stop_asked_at is not None


def conclude(
    tx: Tx,
    agent: Principal,
    run: str,
    claim: str,
    *,
    outcome: Literal["completed", "failed"],
    said: Report,
    channel: str,
) -> Work:
    """The agent says how it ended, and the run has ended so. Raises as `report` does."""
    work, _ = report(tx, agent, run, claim, said, channel=channel)
    found = find_run(tx, work.run)
    why = None if outcome == "completed" else (work.progress or "the agent says that it failed")
    if outcome == "failed" and found.stop_by is not None:
        why = f"stopped by {found.stop_by}"
    end(tx, work, state=outcome, why=why)
    return work


def end(
    tx: Tx, work: Work, *, state: Literal["completed", "failed", "unknown"], why: str | None, keep_closed: bool = True
) -> None:
    """Nobody works on it any more, and its run has ended."""
    tx.run(_END, w_run=work.run)
    text = work.output.decode(errors="replace")
    finish(
        tx,
        find_run(tx, work.run),
        state=state,
        exit_code=None,
        why=why,
        output=text,
        dropped=work.dropped,
        keep_closed=keep_closed,
    )


def _demand_claim(tx: Tx, agent: Principal, run: str, claim: str) -> Work:
    number = ids.parse("R", run)
    work = find_work(tx, number)
    if work is None:
        raise ids.missing("R", number)
    if not claim:
        raise Invalid("usage", "a report needs the claim that came with the work")
    stands = work.state == "claimed" and work.agent == agent.id and work.claim == claim
    if not stands or (work.expires_at or 0) <= tx.now_us:
        raise _lost(work)
    return work


def _lost(work: Work) -> Conflict:
    return Conflict("work_lost", f"{work.name} is no longer yours: stop working on it", run=work.name)
