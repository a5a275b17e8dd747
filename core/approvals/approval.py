"""One approval as it is stored, and the only function that changes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from sqlalchemy import Integer, bindparam, insert, literal_column, select, type_coerce, update

from core import ids
from core.approvals.states import State, demand
from core.errors import Conflict
from core.store import schema
from core.store.encoding import dump, load
from core.store.rows import Reader, Row
from core.store.statement import Statement
from core.store.tx import Tx

_T = schema.approval
_JSON = ("params", "owners", "resources", "validation", "preview", "bound", "rollback_preview")
_COUNTS = ("returns", "glass", "reminders", "escalations", "depth")
_FIND = Statement(select(_T).where(_T.c.id == bindparam("id")))
_NEW = Statement(insert(_T), tuple(column.name for column in _T.columns))

Deadline = Literal["review_expires_at", "apply_expires_at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """The stored columns, JSON decoded. Times are microseconds since 1970."""

    id: int
    version: int
    state: State
    revision: int
    action: str
    title: str
    params: Mapping[str, Any]
    reason: str | None
    requester: str
    owners: list[str]
    channel: str
    address: str | None
    assurance: int
    bound: Mapping[str, Any] | None
    digest: str | None
    policy: str
    policy_json: str
    resources: list[str]
    validation: list[Mapping[str, Any]]
    preview: Mapping[str, Any] | None
    config_version: int
    start: str
    hold_us: int
    apply_us: int
    created_at: int
    submitted_at: int | None
    review_expires_at: int | None
    apply_expires_at: int | None
    hold_until: int | None
    apply_asked_at: int | None
    closed_at: int | None
    closed_why: str | None
    returns: int
    run: int | None
    rollback_run: int | None
    retry_of: int | None
    attempt: int
    rollback_preview: Mapping[str, Any] | None = None
    rollback_asked_at: int | None = None
    by_grant: int | None = None
    """The grant that approved this revision."""
    glass: int = 0
    """1 when this revision was approved by break-glass."""
    override_by: str | None = None
    override_why: str | None = None
    override_at: int | None = None
    remind_at: int | None = None
    reminders: int = 0
    escalate_at: int | None = None
    escalations: int = 0
    reviewing_at: int | None = None
    """When it came under review last."""
    retried_as: int | None = None
    """The approval that asks for it again."""
    cause: str | None = None
    depth: int = 0

    @property
    def name(self) -> str:
        """The id that people type: `A142`."""
        return ids.show("A", self.id)


_FIELDS = tuple(Approval.__dataclass_fields__)


def from_row(row: Row) -> Approval:
    """The approval of a stored row."""
    values = {field: row[field] for field in _FIELDS}
    for field in _JSON:
        values[field] = load(values[field])
    values["state"] = State(values["state"])
    return Approval(**values)


def find(reader: Reader, number: int) -> Approval:
    """The approval with that number. Raises NotFound."""
    row = reader.one(_FIND, id=number)
    if row is None:
        raise ids.missing("A", number)
    return from_row(row)


def create(tx: Tx, values: Mapping[str, Any]) -> None:
    """Store a new approval; columns that are not given are empty, counts 0."""
    row = dict.fromkeys(column.name for column in _T.columns) | dict.fromkeys(_COUNTS, 0) | dict(values)
    for field in _JSON:
        if row[field] is not None:
            row[field] = dump(row[field])
    tx.run(_NEW, **row)


@cache
def _change(columns: tuple[str, ...], deadline: Deadline | None) -> Statement:
    guard = [
        _T.c.id == bindparam("w_id"),
        _T.c.state == bindparam("w_state"),
        _T.c.version == bindparam("w_version"),
    ]
    if deadline is not None:
        guard.append(_T.c[deadline] > bindparam("w_now"))
    values: dict[str, Any] = {column: bindparam(column) for column in columns}
    values["version"] = type_coerce(_T.c.version + literal_column("1"), Integer)
    return Statement(update(_T).where(*guard).values(values))


def change(
    tx: Tx, approval: Approval, *, to: State | None = None, before: Deadline | None = None, **columns: Any
) -> int:
    """Move `approval` to `to` (or keep its state) and set columns; its new version.

    The guard stands in the WHERE: state, version, and with `before` that deadline, by the store's time. Raises
    Conflict: `wrong_state` for an arrow that does not exist, `expired` when the deadline passed, `changed` when
    somebody else was first.
    """
    if to is not None:
        demand(approval.state, to)
        columns["state"] = str(to)
    for field in _JSON:
        if field in columns and columns[field] is not None:
            columns[field] = dump(columns[field])
    guard: dict[str, Any] = {"w_id": approval.id, "w_state": str(approval.state), "w_version": approval.version}
    if before is not None:
        guard["w_now"] = tx.now_us
    if tx.run(_change(tuple(sorted(columns)), before), **columns, **guard) == 1:
        return approval.version + 1
    if before is not None and (getattr(approval, before) or 0) <= tx.now_us:
        raise Conflict("expired", f"{approval.name} expired before this; ask again with a new request")
    raise Conflict("changed", f"{approval.name} has just changed; look at it again", state=str(approval.state))
