"""The log as JSON lines: what an auditor takes away and checks on their own machine.

One line for each entry, in order of seq, then one line with the checkpoint that the lines lead to:

    {"entry": <the exact canonical text>, "leaf_hash": hex, "seq": n, "values": [{"field", "salt", "value"}, …]}
    {"checkpoint": <signed note>}

`values` are the private values that are still kept: salt in hex, value as canonical JSON text; null when the
export withholds them. Erased and withheld values are simply not there: the entries prove the same without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from core.audit.judge import Held, Judge
from core.audit.keys import VerifierKey
from core.audit.note import Checkpoint, Note
from core.audit.reading import Present, Reading, Row
from core.audit.values import StoredValues, Value
from core.audit.verdict import Findings, Verdict
from core.audit.verify import conclude
from core.errors import Invalid

_TAIL_BYTES = 1 << 20


def export_lines(rows: Iterable[Row], values: Iterable[Value] | None, *, checkpoint: str) -> Iterator[bytes]:
    """The lines of an export of the entries that `checkpoint`, a note of our own, covers; later rows are left out.

    `values` None withholds private values. Raises Invalid (`cannot_export`) when the rows are not what the
    checkpoint needs; `verify` then says why.
    """
    size = Checkpoint.parse(Note.parse(checkpoint).text).size
    findings = Findings()
    stored = None if values is None else StoredValues(values, findings, settled=None)
    done = 0
    for row in rows:
        if done == size:
            break
        done += 1
        if row[0] != done:
            raise Invalid("cannot_export", f"entry {done} is missing from the log; verify it")
        yield _entry_line(row, None if stored is None else stored.at(done))
    if done != size:
        raise Invalid(
            "cannot_export", f"the log has {done} entries, fewer than the {size} of the checkpoint; verify it"
        )
    yield orjson.dumps({"checkpoint": checkpoint}, option=orjson.OPT_APPEND_NEWLINE)


def verify_export(path: Path, *, keys: Iterable[VerifierKey], outside: Iterable[Held] = ()) -> Verdict:
    """The verdict over an exported file, by its own checkpoint and any held elsewhere; no hub is needed.

    Raises Invalid (`bad_export`) when the file cannot be read or does not end in a checkpoint.
    """
    findings = Findings()
    held = Held(source="the export's last line", note=_last_checkpoint(path))
    judge = Judge(findings, keys=keys, inside=[held], outside=outside)
    reading = Reading(findings, sizes=judge.sizes, values_may_lack=True)
    checked = True
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError:
                value = None
            if isinstance(value, dict) and "checkpoint" in value and not file.peek(1):
                break
            parsed = _parse_line(value)
            if parsed is None:
                findings.add("bad_line", None, f"line {number} is not a line of an export")
                continue
            seq, entry, leaf, present = parsed
            checked = checked and present is not None
            reading.entry(seq, entry, leaf, present)
    reading.end()
    judge.judge(reading, settled=0)
    if reading.size > Checkpoint.parse(Note.parse(held.note).text).size:
        findings.add("bad_line", None, "more entries follow than the export's checkpoint covers")
    return conclude(findings, reading, judge, values_checked=checked)


def _entry_line(row: Row, present: Present | None) -> bytes:
    seq, entry, leaf = row[:3]
    try:
        values = None if present is None else [_value_json(*value) for value in present]
        line = {"entry": entry.decode(), "leaf_hash": leaf.hex(), "seq": seq, "values": values}
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    except (AttributeError, TypeError, UnicodeDecodeError):
        raise Invalid("cannot_export", f"entry {seq} is not what it was when it was written; verify the log") from None


def _value_json(field: str, salt: bytes, value: bytes) -> dict[str, str]:
    return {"field": field, "salt": salt.hex(), "value": value.decode()}


def _parse_line(line: Any) -> tuple[int, bytes, bytes, Present | None] | None:
    """seq, entry, leaf hash and values of an entry's line; None when it is none."""
    match line:
        case {"seq": int(seq), "entry": str(entry), "leaf_hash": str(leaf), "values": list() | None as values}:
            try:
                present = None if values is None else [_parse_value(value) for value in values]
                return seq, entry.encode(), bytes.fromhex(leaf), present
            except (KeyError, TypeError, ValueError, AttributeError):
                return None
    return None


def _parse_value(value: dict[str, str]) -> tuple[str, bytes, bytes]:
    return value["field"], bytes.fromhex(value["salt"]), value["value"].encode()


def _last_checkpoint(path: Path) -> str:
    """The note of the file's last line."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - _TAIL_BYTES))
            last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    except OSError as error:
        raise Invalid("bad_export", f"{path} cannot be read: {error.strerror}") from None
    try:
        note = orjson.loads(last)["checkpoint"]
        Checkpoint.parse(Note.parse(note).text)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, Invalid):
        raise Invalid("bad_export", f"{path} does not end in a checkpoint; it is no export, or a part of one") from None
    return str(note)
