"""Making the receipt of an approval from the stored log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import bindparam, select

from core.approvals.approval import Approval
from core.audit.entry import decode
from core.audit.note import Checkpoint, Note
from core.audit.proof import prove
from core.audit.subtrees import LeafSource, Subtrees
from core.errors import Conflict, Invalid
from core.receipt import complete
from core.receipt.conclusion import conclude
from core.receipt.receipt import VERSION
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement

_LOG, _VALUE = schema.log, schema.log_value
_ENTRIES = Statement(
    select(_LOG.c.seq, _LOG.c.entry, _LOG.c.event).where(_LOG.c.subject == bindparam("subject")).order_by(_LOG.c.seq)
)
_VALUES = Statement(select(_VALUE).where(_VALUE.c.seq == bindparam("seq")).order_by(_VALUE.c.field))


def make(
    reader: Reader,
    approval: Approval,
    note: str,
    *,
    sign: Callable[[str], str],
    subtrees: Subtrees,
    source: LeafSource,
) -> dict[str, Any]:
    """The receipt, proved under the checkpoint `note`; `core.receipt.receipt` says its form.

    `sign` gives the note of a text, by the key of the log. Raises Conflict `not_approved` for a request that is not
    approved as it is now, or whose approval cannot be shown to hold.
    """
    checkpoint = Checkpoint.parse(Note.parse(note).text)
    rows = [
        row
        for row in reader.all(_ENTRIES, subject=approval.name)
        if row["seq"] <= checkpoint.size and row["event"].startswith(complete.EVENTS)
    ]
    raws = [bytes(row["entry"]) for row in rows]
    try:
        conclude(approval.name, approval.bound or {}, [decode(raw) for raw in raws], checkpoint)
    except Invalid as problem:
        why = f"there is nothing to give a receipt for: {problem.message}"
        raise Conflict("not_approved", f"{approval.name}: {why}") from None
    return {
        "interlock_receipt": VERSION,
        "approval": approval.name,
        "bound": approval.bound,
        "entries": [
            {
                "entry": raw.decode(),
                "values": [
                    {"field": each["field"], "salt": bytes(each["salt"]).hex(), "value": bytes(each["value"]).decode()}
                    for each in reader.all(_VALUES, seq=row["seq"])
                ],
                "hashes": prove(row["seq"], note, subtrees=subtrees, source=source).to_json()["hashes"],
            }
            for row, raw in zip(rows, raws, strict=True)
        ],
        "checkpoint": note,
        "statement": sign(complete.text(approval.name, checkpoint, raws)),
    }
