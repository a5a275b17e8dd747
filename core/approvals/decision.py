"""Decisions as they are stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import bindparam, delete, insert, select

from core.approvals.approval import Approval
from core.approvals.delegation import proxies
from core.policy.ballot import Vote
from core.store import schema
from core.store.encoding import dump, load
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx

Verdict = Literal["approve", "reject", "request-changes"]

_T = schema.decision
_OF = Statement(
    select(_T).where(_T.c.approval == bindparam("approval"), _T.c.revision == bindparam("revision")).order_by(_T.c.id)
)
_NEW = Statement(insert(_T), tuple(column.name for column in _T.columns))
_DROP = Statement(delete(_T).where(_T.c.id == bindparam("id")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """For how long the same may run again without being asked for, and how often."""

    seconds: int
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One person's verdict on one revision. `at` is microseconds since 1970."""

    id: int
    approval: int
    revision: int
    digest: str
    by: str
    on_behalf_of: str | None
    verdict: Verdict
    channel: str
    assurance: int
    comment: str | None
    at: int
    evidence: Mapping[str, str] = field(default_factory=dict)
    """What proved the person: which key, session or signature."""
    delegation: int | None = None
    """The delegation by which `by` spoke for `on_behalf_of`."""
    again: Again | None = None
    """The grant that was chosen with it."""

    @property
    def voice(self) -> str:
        """Whose say it is."""
        return self.on_behalf_of or self.by


_FIELDS = tuple(name for name in Decision.__dataclass_fields__ if name != "again")


def decisions(reader: Reader, approval: int, revision: int) -> list[Decision]:
    """The decisions on that revision, in the order in which they were given."""
    rows = reader.all(_OF, approval=approval, revision=revision)
    return [_decision(row) for row in rows]


def _decision(row: Row) -> Decision:
    values = {name: row[name] for name in _FIELDS}
    values["evidence"] = load(values["evidence"]) or {}
    times = row["grant_times"]
    again = Again(seconds=row["grant_seconds"], times=times) if times is not None else None
    return Decision(**values, again=again)


def add(tx: Tx, decision: Decision) -> None:
    """Store a decision; the table allows one for each revision, person and voice."""
    values = {name: getattr(decision, name) for name in _FIELDS}
    values |= {"evidence": dump(dict(decision.evidence)), "voice": decision.voice}
    values |= {
        "grant_seconds": decision.again.seconds if decision.again else None,
        "grant_times": decision.again.times if decision.again else None,
    }
    tx.run(_NEW, **values)


def withdraw_own(tx: Tx, mine: Iterable[Decision]) -> None:
    """Somebody says something else before anything ran: what they had said, also for others, no longer stands."""
    for each in mine:
        tx.run(_DROP, id=each.id)


def votes(reader: Reader, approval: Approval, given: Iterable[Decision]) -> list[Vote]:
    """The verdicts among `given` that can count now: what was said for others only while its delegation is in force."""
    said = [each for each in given if each.verdict != "request-changes"]
    lent = any(each.on_behalf_of is not None for each in said)
    speaking = {each.id: each for each in proxies(reader, approval.action)} if lent else {}
    found = []
    for each in said:
        verdict: Literal["approve", "reject"] = "approve" if each.verdict == "approve" else "reject"
        if each.on_behalf_of is None:
            found.append(Vote(person=each.by, verdict=verdict))
            continue
        proxy = speaking.get(each.delegation or 0)
        if proxy is None or (proxy.delegate, proxy.delegator) != (each.by, each.on_behalf_of):
            continue
        found.append(
            Vote(
                person=each.by,
                on_behalf_of=each.on_behalf_of,
                verdict=verdict,
                when=proxy.when,
                strength=proxy.strength,
            )
        )
    return found


def standing(reader: Reader, approval: Approval) -> list[Vote]:
    """The verdicts on the revision as it is that can count now."""
    return votes(reader, approval, decisions(reader, approval.id, approval.revision))
