"""One function's view of the writer's transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from core.audit.entry import Draft
from core.store.rows import Row
from core.store.statement import Statement

if TYPE_CHECKING:
    from core.store.engine import Engine


class Tx:
    """Reads, writes and records inside one savepoint. A function given a Tx touches nothing else: it may run again."""

    __slots__ = ("_dialect", "_engine", "callbacks", "drafts", "now_us")

    def __init__(self, engine: Engine, now_us: int) -> None:
        self._engine = engine
        self._dialect = engine.dialect
        self.now_us = now_us
        self.drafts: list[Draft] = []
        self.callbacks: list[Callable[[], object]] = []

    def one(self, statement: Statement, **values: Any) -> Row | None:
        """The first row, or None."""
        return self._engine.one(statement, values)

    def all(self, statement: Statement, **values: Any) -> list[Row]:
        """Every row."""
        return self._engine.all(statement, values)

    def run(self, statement: Statement, **values: Any) -> int:
        """Execute a change; the number of rows that it touched (0 is how a guard says no)."""
        count: int = self._engine.execute(statement.sql(self._dialect), values).rowcount
        return count

    def next_id(self, kind: str) -> int:
        """A number never given before for `kind` (`approval`, `run`, `lease`, …)."""
        return self._engine.next_id(kind)

    def record(
        self,
        event: str,
        *,
        actor: str | None,
        subject: str | None = None,
        channel: str | None = None,
        details: Mapping[str, Any] | None = None,
        private: Mapping[str, Any] | None = None,
    ) -> None:
        """Append an entry to the log, in this transaction.

        `details` hold facts that may stay for ever; `private` holds personal and free text, of which the
        entry carries only a salted commitment.
        """
        self.drafts.append(
            Draft(
                event=event, actor=actor, subject=subject, channel=channel, details=details or {}, private=private or {}
            )
        )

    def after_commit(self, call: Callable[[], object]) -> None:
        """Run `call` on the event loop once this transaction is durable; it is a hint, and may be lost in a crash."""
        self.callbacks.append(call)

    def mark(self) -> tuple[int, int]:
        """Where the recorded entries and callbacks stand, for `rewind`."""
        return len(self.drafts), len(self.callbacks)

    def rewind(self, mark: tuple[int, int]) -> None:
        """Forget what was recorded since `mark`."""
        del self.drafts[mark[0] :]
        del self.callbacks[mark[1] :]
