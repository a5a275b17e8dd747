"""The log as the database keeps it, read in pages that hold no snapshot for long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import bindparam, func, select, tuple_

from core.audit.judge import Held
from core.audit.keys import VerifierKey
from core.audit.reading import Row
from core.audit.values import Value
from core.audit.verdict import Verdict
from core.audit.verify import verify
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement

SOURCE = "the database"
_PAGE = 1_000

_L, _V = schema.log.c, schema.log_value.c
_SIZE = Statement(select(func.max(_L.seq).label("size")))
_ROWS = Statement(select(schema.log).where(_L.seq > bindparam("after")).order_by(_L.seq).limit(bindparam("page")))
_VALUES = Statement(
    select(schema.log_value)
    .where(tuple_(_V.seq, _V.field) > tuple_(bindparam("seq"), bindparam("field")))
    .order_by(_V.seq, _V.field)
    .limit(bindparam("page"))
)
_CHECKPOINTS = Statement(select(schema.checkpoint).order_by(schema.checkpoint.c.size))
_LEAVES = Statement(
    select(_L.leaf_hash).where(_L.seq > bindparam("start"), _L.seq <= bindparam("stop")).order_by(_L.seq)
)


class StoredLog:
    """Everything of the log that a reader can see, for verification, exports and proofs (a `LeafSource`)."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def size(self) -> int:
        """How many entries are stored."""
        row = self._reader.one(_SIZE)
        return row["size"] if row is not None and isinstance(row["size"], int) else 0

    def rows(self) -> Iterator[Row]:
        """Every entry in order of seq, to the end that there is when it gets there."""
        after = -1
        while page := self._reader.all(_ROWS, after=after, page=_PAGE):
            for row in page:
                yield (
                    row["seq"],
                    row["entry"],
                    row["leaf_hash"],
                    row["ts"],
                    row["event"],
                    row["actor"],
                    row["subject"],
                    row["channel"],
                )
            after = page[-1]["seq"]

    def values(self) -> Iterator[Value]:
        """Every private value that is still kept, in order of seq."""
        seq, field = -1, ""
        while page := self._reader.all(_VALUES, seq=seq, field=field, page=_PAGE):
            for row in page:
                yield row["seq"], row["field"], row["salt"], row["value"]
            seq, field = page[-1]["seq"], page[-1]["field"]

    def checkpoints(self) -> list[Held]:
        """Every checkpoint that was signed, by size."""
        return [Held(source=SOURCE, note=row["note"]) for row in self._reader.all(_CHECKPOINTS)]

    def leaf_hashes(self, start: int, stop: int) -> Sequence[bytes]:
        """The hashes of leaves [start, stop), counted from 0."""
        return [row["leaf_hash"] for row in self._reader.all(_LEAVES, start=start, stop=stop)]


def verify_stored(
    reader: Reader, *, keys: Iterable[VerifierKey], held: Iterable[Held] = (), outside: Iterable[Held] = ()
) -> Verdict:
    """The verdict over the log in the database, also while the hub appends to it.

    `held` are notes kept beside the database (`checkpoints.log`), `outside` those kept where its writers cannot go.
    """
    log = StoredLog(reader)
    settled = log.size()
    checkpoints = [*log.checkpoints(), *held]
    return verify(log.rows(), log.values(), checkpoints, keys=keys, outside=outside, settled=settled)
