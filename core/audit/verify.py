"""Whether a log is intact: its entries among themselves, and against checkpoints held elsewhere.

Pure over iterators: it neither opens a database nor reads a file, and needs memory only for checkpoints and for
what it finds. That the state tables match the log is another verdict.
"""

from __future__ import annotations

from collections.abc import Iterable

from core.audit.judge import Held, Judge
from core.audit.keys import VerifierKey
from core.audit.reading import Reading, Row
from core.audit.values import StoredValues, Value
from core.audit.verdict import Findings, Verdict


def verify(
    rows: Iterable[Row],
    values: Iterable[Value] | None,
    checkpoints: Iterable[Held],
    *,
    keys: Iterable[VerifierKey],
    outside: Iterable[Held] = (),
    settled: int | None = None,
) -> Verdict:
    """The verdict over a log.

    `rows` and `values` stand in order of seq and are read side by side, once; `values` None leaves private values
    unchecked. `checkpoints` are those kept with the log, `outside` those that whoever can change the log cannot.
    `keys` are the ones believed from the start; keys that the log announced, and a believed key signed for, follow.

    Of a log that grows meanwhile, read its size first (`settled`), then the checkpoints, then rows to the very end,
    in that order: then what is appended during the verification is not mistaken for tampering.
    """
    findings = Findings()
    judge = Judge(findings, keys=keys, inside=checkpoints, outside=outside)
    reading = Reading(findings, sizes=judge.sizes)
    stored = None if values is None else StoredValues(values, findings, settled=settled)
    for row in rows:
        reading.row(row, None if stored is None else stored.at(row[0]))
    reading.end()
    if stored is not None:
        stored.end()
    judge.judge(reading, settled=settled)
    return conclude(findings, reading, judge, values_checked=values is not None)


def conclude(findings: Findings, reading: Reading, judge: Judge, *, values_checked: bool) -> Verdict:
    """What was found, as a verdict."""
    return Verdict(
        findings=findings.all(),
        losses=tuple(judge.losses),
        origin=reading.origin,
        size=reading.size,
        root=reading.root,
        anchored_size=judge.anchored_size,
        checkpoints=judge.matched,
        values_checked=values_checked,
    )
