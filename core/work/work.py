"""One piece of work: what an approved run offers to agents, and who carries it out. It is stored beside its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import BigInteger, Integer, bindparam, insert, select

from core import ids
from core.clock import rfc3339
from core.store import schema
from core.store.encoding import dump, load
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx

BY_AGENT = {"agent": True}
"""What stands for the process of a run that an agent carries out: there is none of ours."""

State = Literal["queued", "claimed", "ended"]

_T = schema.work
_FIELDS = tuple(column.name for column in _T.columns)
_JSON = ("params", "labels", "artifacts")
_NEW = Statement(insert(_T), _FIELDS)
_FIND = Statement(select(_T).where(_T.c.run == bindparam("run")))
_OPEN = Statement(
    select(_T)
    .where(_T.c.state != "ended", _T.c.run > bindparam("after", type_=BigInteger()))
    .order_by(_T.c.run)
    .limit(bindparam("most", type_=Integer()))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is stored of it; times in microseconds. `progress`, `summary` and `artifacts` are the agent's own words."""

    run: int
    approval: int
    action: str
    params: Mapping[str, Any]
    labels: tuple[str, ...]
    priority: int
    state: State
    most_tries: int
    tries: int
    """How often it was claimed."""
    offered_at: int
    due_at: int
    """When it may be claimed: at once, or after the pause before another try."""
    until: int
    """When it has to have ended, whoever works on it."""
    ttl_us: int
    agent: str | None
    claim: str | None
    """Known to the hub and to whoever claimed it this time: what a report proves itself with."""
    claimed_at: int | None
    expires_at: int | None
    """When its agent counts as lost, unless it is heard of."""
    reported_at: int | None
    progress: str | None
    output: bytes
    dropped: int
    artifacts: tuple[Mapping[str, Any], ...]

    @property
    def name(self) -> str:
        """The run's id: `R9`."""
        return ids.show("R", self.run)

    @property
    def about(self) -> str:
        """The approval's id: `A142`."""
        return ids.show("A", self.approval)

    def as_json(self) -> dict[str, Any]:
        """What everybody may see who sees the approval."""
        return {
            "run": self.name,
            "approval": self.about,
            "action": self.action,
            "labels": list(self.labels),
            "priority": self.priority,
            "state": self.state,
            "tries": self.tries,
            "agent": self.agent,
            "claimed_at": _time(self.claimed_at),
            "expires_at": _time(self.expires_at),
            "until": rfc3339(self.until),
            "claims": {"progress": self.progress, "artifacts": list(self.artifacts)},
        }


def _time(us: int | None) -> str | None:
    return None if us is None else rfc3339(us)


def of_row(row: Row) -> Work:
    """The work of a row."""
    values = {field: row[field] for field in _FIELDS}
    values |= {field: load(values[field]) for field in _JSON}
    values |= {"labels": tuple(values["labels"]), "artifacts": tuple(values["artifacts"])}
    return Work(**{**values, "output": bytes(values["output"])})


def find_work(reader: Reader, run: int) -> Work | None:
    """The work of that run; None for a run that no agent carries out."""
    row = reader.one(_FIND, run=run)
    return None if row is None else of_row(row)


def open_work(reader: Reader, *, after: int = 0, most: int = 100) -> list[Work]:
    """What has not ended, oldest first."""
    return [of_row(row) for row in reader.all(_OPEN, after=after, most=most)]


def insert_work(tx: Tx, work: Work) -> None:
    """The work is stored."""
    values = {field: getattr(work, field) for field in _FIELDS}
    tx.run(_NEW, **{**values, **{field: dump(values[field]) for field in _JSON}})
