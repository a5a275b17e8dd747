"""Making the receipt of an approval from the stored log."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from core.approvals.approval import Approval
from core.audit.note import Checkpoint, Note
from core.audit.proof import prove
from core.audit.subtrees import LeafSource, Subtrees
from core.errors import Conflict
from core.receipt.receipt import VERSION
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement

_LOG, _VALUE = schema.log, schema.log_value
_ENTRIES = Statement(
    select(_LOG.c.seq, _LOG.c.entry, _LOG.c.event).where(_LOG.c.subject == bindparam("subject")).order_by(_LOG.c.seq)
)
_VALUES = Statement(select(_VALUE).where(_VALUE.c.seq == bindparam("seq")).order_by(_VALUE.c.field))
_ABOUT = ("approval:", "apply:", "rollback:", "freeze:overridden")


def make(reader: Reader, approval: Approval, note: str, *, subtrees: Subtrees, source: LeafSource) -> dict[str, Any]:
    """The receipt, proved under the checkpoint `note`; `core.receipt.receipt` says its form.

    Raises Conflict `not_approved` for a request that was never approved as it is now.
    """
    size = Checkpoint.parse(Note.parse(note).text).size
    rows = [
        row
        for row in reader.all(_ENTRIES, subject=approval.name)
        if row["seq"] <= size and row["event"].startswith(_ABOUT)
    ]
    if approval.bound is None or not any(row["event"] == "approval:approved" for row in rows):
        raise Conflict("not_approved", f"{approval.name} was not approved; there is nothing to give a receipt for")
    return {
        "interlock_receipt": VERSION,
        "approval": approval.name,
        "bound": approval.bound,
        "entries": [
            {
                "entry": bytes(row["entry"]).decode(),
                "values": [
                    {"field": each["field"], "salt": bytes(each["salt"]).hex(), "value": bytes(each["value"]).decode()}
                    for each in reader.all(_VALUES, seq=row["seq"])
                ],
                "hashes": prove(row["seq"], note, subtrees=subtrees, source=source).to_json()["hashes"],
            }
            for row in rows
        ],
        "checkpoint": note,
    }
