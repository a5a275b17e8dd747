"""What time does to work: agents that fall silent lose it, and what nobody took or finished in time ends."""

from __future__ import annotations

import random
from collections.abc import Callable

from sqlalchemy import BigInteger, and_, bindparam, null, or_, select, update

from core.approvals.run import find_run
from core.clock import SECOND
from core.people.directory import HUB
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.work.reporting import end
from core.work.work import Work, of_row

FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
STOP_SECONDS = 60.0
"""How long an agent has to confirm that it stopped."""

_T = schema.work
_now = bindparam("now", type_=BigInteger())
_STOPPED = select(schema.run.c.id).where(schema.run.c.stop_asked_at <= bindparam("asked", type_=BigInteger()))
_UNWANTED = select(schema.run.c.id).where(schema.run.c.stop_asked_at.is_not(None))
_OVER = Statement(
    select(_T)
    .where(
        _T.c.state != "ended",
        or_(
            _T.c.until <= _now,
            and_(_T.c.state == "claimed", _T.c.expires_at <= _now),
            and_(_T.c.state == "claimed", _T.c.run.in_(_STOPPED)),
            and_(_T.c.state == "queued", _T.c.run.in_(_UNWANTED)),
        ),
    )
    .order_by(_T.c.run)
    .limit(50)
)
_AGAIN = Statement(
    update(_T)
    .where(_T.c.run == bindparam("w_run"), _T.c.state == "claimed")
    .values(
        state="queued", due_at=bindparam("due_at"), agent=null(), claim=null(), claimed_at=null(), expires_at=null()
    )
)


def any_given_up(reader: Reader) -> bool:
    """Whether the time of some work is over."""
    return reader.one(_OVER, **_moment(reader.now_us)) is not None


def _moment(now_us: int) -> dict[str, int]:
    return {"now": now_us, "asked": now_us - int(STOP_SECONDS * SECOND)}


def give_up(tx: Tx, keeps_closed: Callable[[str], bool]) -> None:
    """Work whose time is over has ended or waits for another agent; `keeps_closed` says it of an action."""
    for row in tx.all(_OVER, **_moment(tx.now_us)):
        work = of_row(row)
        stopped_by = find_run(tx, work.run).stop_by
        if work.state == "queued":
            why = f"stopped by {stopped_by}" if stopped_by else "no agent took it in time"
            end(tx, work, state="failed", why=why)
        elif work.until > tx.now_us and stopped_by is None and work.tries < work.most_tries:
            _again(tx, work)
        else:
            end(tx, work, state="unknown", why=_why(tx, work, stopped_by), keep_closed=keeps_closed(work.action))


def _why(tx: Tx, work: Work, stopped_by: str | None) -> str:
    if stopped_by is not None:
        return f"{work.agent} did not confirm that it stopped, as {stopped_by} asked"
    if work.until <= tx.now_us:
        return f"{work.agent} did not finish in time"
    return f"{work.agent} was lost: it was not heard of for {work.ttl_us // SECOND} s"


def _again(tx: Tx, work: Work) -> None:
    """It waits for another try: longer each time, and never for quite as long as another's."""
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (work.tries - 1))
    pause = random.uniform(longest / 2, longest)  # noqa: S311 - spreads retries, keeps no secret
    tx.run(_AGAIN, w_run=work.run, due_at=tx.now_us + int(pause * SECOND))
    tx.record(
        "apply:requeued",
        actor=HUB.id,
        subject=work.about,
        details={"run": work.name, "lost": work.agent, "try": work.tries, "pause": int(pause)},
    )
