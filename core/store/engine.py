"""What the writer asks of a database. SQLite and PostgreSQL each answer in a file of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from core.store.rows import Reader, Row
from core.store.statement import Statement


class Engine(Protocol):
    """The writer's own connection. Every method runs on the writer's thread."""

    dialect: str

    def begin(self, locks: Sequence[str]) -> int:
        """Open the batch's transaction, take `locks` in order, and return the store's time in microseconds."""
        ...

    def now_us(self) -> int:
        """About the store's time, from any thread."""
        ...

    def execute(self, sql: str, values: Mapping[str, Any]) -> Any:
        """Run one statement; the driver's cursor."""
        ...

    def one(self, statement: Statement, values: Mapping[str, Any]) -> Row | None:
        """The first row, or None."""
        ...

    def all(self, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        """Every row."""
        ...

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run one statement for many rows."""
        ...

    def savepoint(self) -> None: ...

    def release(self) -> None: ...

    def undo(self) -> None:
        """Undo everything since `savepoint`, and end it."""
        ...

    def is_open(self) -> bool:
        """Whether the outer transaction still stands; False means that everything of it is gone."""
        ...

    def lock_log(self) -> None:
        """Take the log's lock, held until COMMIT, so that commit order is seq order."""
        ...

    def commit(self) -> None:
        """Make the batch durable.

        Raises CommitFailed when nothing of it happened, StoreLost when nobody can know.
        """
        ...

    def rollback(self) -> None:
        """End the transaction, whatever its state; never raises."""
        ...

    def next_id(self, kind: str) -> int: ...

    def rest(self, idle: bool) -> None:
        """Do the chores between batches (SQLite: move the write-ahead log into the database)."""
        ...

    def has_room(self) -> bool:
        """Whether more than the reserve of free space is left."""
        ...

    def reader(self) -> Reader:
        """A new read-only connection, for the thread that asks."""
        ...

    def close(self) -> None: ...
