"""Statements that SQLAlchemy builds once and the driver's own connection runs many times."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.base import PGCompiler
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.ddl import DDLElement


class _Constants(SQLCompiler):
    """Writes a value that the construct itself carries into the text; only named values are left to bind."""

    def visit_bindparam(self, bindparam: Any, *args: Any, **kw: Any) -> Any:
        if bindparam.value is not None and not bindparam.required:
            kw["literal_binds"] = True
        return super().visit_bindparam(bindparam, *args, **kw)  # type: ignore[no-untyped-call]


class _Sqlite(_Constants, SQLiteCompiler):
    pass


class _Postgres(_Constants, PGCompiler):
    pass


_DIALECTS: dict[str, Any] = {
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": postgresql.dialect(paramstyle="pyformat"),  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
}
_DIALECTS["sqlite"].statement_compiler = _Sqlite
_DIALECTS["postgresql"].statement_compiler = _Postgres


class Statement:
    """A Core construct with its SQL text for each dialect, compiled on first use.

    Values are bound by name. Type processors do not run: bind integers, text, bytes and None only.
    """

    __slots__ = ("_columns", "_construct", "_sql")

    def __init__(self, construct: ClauseElement, columns: tuple[str, ...] | None = None) -> None:
        self._construct = construct
        self._columns = columns
        self._sql: dict[str, str] = {}

    def sql(self, dialect: str) -> str:
        """The text for `dialect` (`sqlite` or `postgresql`)."""
        text = self._sql.get(dialect)
        if text is None:
            keys = list(self._columns) if self._columns is not None else None
            if isinstance(self._construct, DDLElement):
                text = str(self._construct.compile(dialect=_DIALECTS[dialect]))
            else:
                text = str(self._construct.compile(dialect=_DIALECTS[dialect], column_keys=keys))
            self._sql[dialect] = text
        return text
