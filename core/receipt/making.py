"""Making the receipt of an approval from the stored log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select

from core.approvals.approval import Approval
from core.approvals.grant import find as find_grant
from core.audit.entry import Entry, decode
from core.audit.note import Checkpoint, Note
from core.audit.proof import prove
from core.audit.subtrees import LeafSource, Subtrees
from core.errors import Conflict, Invalid
from core.receipt import complete
from core.receipt import granted as granting
from core.receipt.conclusion import conclude
from core.receipt.granted import Granted
from core.receipt.receipt import VERSION
from core.store import schema
from core.store.rows import Reader, Row
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
    seen = _Seen(reader=reader, note=note, size=checkpoint.size, subtrees=subtrees, source=source)

    def whole(name: str, rows: Sequence[Row]) -> str:
        return sign(complete.text(name, checkpoint, [bytes(row["entry"]) for row in rows]))

    rows = seen.about(approval.name, complete.EVENTS)
    used = find_grant(reader, approval.by_grant) if approval.by_grant is not None else None
    uses = seen.about(used.name, granting.EVENTS) if used is not None else []
    chosen = seen.about(used.chosen_on, complete.EVENTS) if used is not None else []
    granted = None
    if used is not None:
        granted = Granted(name=used.name, entries=_decoded(uses), chosen_on=used.chosen_on, chosen=_decoded(chosen))
    try:
        conclude(approval.name, approval.bound or {}, _decoded(rows), checkpoint, granted)
    except Invalid as problem:
        why = f"there is nothing to give a receipt for: {problem.message}"
        raise Conflict("not_approved", f"{approval.name}: {why}") from None
    made = {
        "interlock_receipt": VERSION,
        "approval": approval.name,
        "bound": approval.bound,
        "entries": [seen.proved(row, seen.values(row)) for row in rows],
        "checkpoint": note,
        "statement": whole(approval.name, rows),
    }
    if used is not None:
        made["grant"] = {
            "grant": used.name,
            "entries": [seen.proved(row, []) for row in uses],
            "statement": whole(used.name, uses),
            "approval": used.chosen_on,
            "chosen": [seen.proved(row, []) for row in chosen],
            "chosen_statement": whole(used.chosen_on, chosen),
        }
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The log up to a checkpoint."""

    reader: Reader
    note: str
    size: int
    subtrees: Subtrees
    source: LeafSource

    def about(self, subject: str, events: tuple[str, ...]) -> list[Row]:
        """The entries about `subject` whose events begin so, in order."""
        found = self.reader.all(_ENTRIES, subject=subject)
        return [row for row in found if row["seq"] <= self.size and row["event"].startswith(events)]

    def values(self, row: Row) -> list[dict[str, str]]:
        """The values that the entry commits to, those that were not erased."""
        return [
            {"field": each["field"], "salt": bytes(each["salt"]).hex(), "value": bytes(each["value"]).decode()}
            for each in self.reader.all(_VALUES, seq=row["seq"])
        ]

    def proved(self, row: Row, values: list[dict[str, str]]) -> dict[str, Any]:
        """The entry as a receipt holds it."""
        proof = prove(row["seq"], self.note, subtrees=self.subtrees, source=self.source)
        return {"entry": bytes(row["entry"]).decode(), "values": values, "hashes": proof.to_json()["hashes"]}


def _decoded(rows: Sequence[Row]) -> list[Entry]:
    return [decode(bytes(row["entry"])) for row in rows]
