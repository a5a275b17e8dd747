"""What a database row and a read look like, whichever driver gave them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from core.store.statement import Statement

Row = Mapping[str, Any]
"""One row, by column name."""


class Reader(Protocol):
    """Reads, the same on the writer's transaction and on a read-only connection."""

    @property
    def now_us(self) -> int:
        """The store's time."""
        ...

    def one(self, statement: Statement, **values: Any) -> Row | None:
        """The first row, or None."""
        ...

    def all(self, statement: Statement, **values: Any) -> list[Row]:
        """Every row."""
        ...
