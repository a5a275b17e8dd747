"""What came before: the revision that people may have seen, and the attempt that this one repeats."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from core.approvals.approval import Approval, find
from core.approvals.changes import changes, preview_diff
from core.approvals.run import find_run
from core.store import schema
from core.store.encoding import load
from core.store.rows import Reader, Row
from core.store.statement import Statement

MOST_OUTPUT = 1_000
"""Characters of the last attempt's output that its successor shows."""

_T = schema.revision
_BEFORE = Statement(
    select(_T)
    .where(_T.c.approval == bindparam("approval"), _T.c.revision < bindparam("revision"))
    .order_by(_T.c.bound.is_(None), _T.c.revision.desc())
    .limit(1)
)


def earlier(reader: Reader, approval: Approval) -> dict[str, Any]:
    """`changed_since`, `changed_why`, `changes` and `preview_diff` of a revised request, `last_failure` of a retry.

    It is compared with the newest revision that came under review, since that is what people may have seen.
    """
    return {**_revised(reader, approval), "last_failure": _last_failure(reader, approval)}


def _revised(reader: Reader, approval: Approval) -> dict[str, Any]:
    row = reader.one(_BEFORE, approval=approval.id, revision=approval.revision) if approval.revision > 1 else None
    if row is None:
        return {"changed_since": None, "changed_why": None, "changes": [], "preview_diff": None}
    return {
        "changed_since": row["revision"],
        "changed_why": row["why"],
        "changes": _changes(row, approval),
        "preview_diff": _diff(row, approval),
    }


def _changes(row: Row, approval: Approval) -> list[dict[str, Any]]:
    before, after = load(row["bound"]), approval.bound
    if before is None or after is None:  # not checked yet: only what was asked for can be compared
        before, after = {"params": load(row["params"])}, {"params": approval.params}
    found = changes(before, after)
    if row["reason"] != approval.reason:
        found.append({"field": "reason", "before": row["reason"], "after": approval.reason})
    return found


def _diff(row: Row, approval: Approval) -> str | None:
    before = load(row["bound"])
    if before is None or approval.bound is None:
        return None
    return preview_diff(before.get("preview"), approval.bound.get("preview"))


def _last_failure(reader: Reader, approval: Approval) -> dict[str, Any] | None:
    if approval.retry_of is None:
        return None
    last = find(reader, approval.retry_of)
    run = find_run(reader, last.run) if last.run is not None else None
    return {
        "id": last.name,
        "attempt": last.attempt,
        "state": str(last.state),
        "why": last.closed_why,
        "exit": run.exit if run else None,
        "output_tail": (run.output or b"").decode(errors="replace")[-MOST_OUTPUT:] if run else "",
    }
