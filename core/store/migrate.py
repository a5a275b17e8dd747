"""Bringing a database's tables to this version's, with Alembic."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from core.errors import StoreError

HEAD = "0015"
"""The newest revision in migrations/versions; a test holds it to Alembic's own answer."""


def url_of(target: Path | str) -> str:
    """SQLAlchemy's URL of a SQLite file's path or of a PostgreSQL DSN."""
    if isinstance(target, Path):
        return f"sqlite:///{target}"
    return target.replace("postgresql://", "postgresql+psycopg://", 1)


def is_current(target: Path | str) -> bool:
    """Whether the tables are this version's. For SQLite this imports neither Alembic nor SQLAlchemy's engine."""
    if isinstance(target, Path):
        if not target.exists():
            return False
        db = sqlite3.connect(f"{target.absolute().as_uri()}?mode=ro", uri=True)
        try:
            row = db.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.Error:
            return False
        finally:
            db.close()
        return row is not None and row[0] == HEAD
    import psycopg

    try:
        with psycopg.connect(target.replace("postgresql+psycopg://", "postgresql://", 1)) as server:
            found = server.execute("SELECT to_regclass('alembic_version')").fetchone()
            if found is None or found[0] is None:
                return False
            row = server.execute("SELECT version_num FROM alembic_version").fetchone()
            return row is not None and row[0] == HEAD
    except psycopg.Error as error:
        raise StoreError(f"cannot reach PostgreSQL: {error}") from error


def migrate(target: Path | str) -> None:
    """Bring the tables to this version; does nothing when they are. Raises StoreError when a newer hub made them."""
    if is_current(target):
        return
    if isinstance(target, Path) and (not target.exists() or target.stat().st_size == 0):
        _create(target)
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url_of(target)
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(f"cannot migrate the database: {error}; a newer Interlock may have made it") from error


def _create(path: Path) -> None:
    """A new SQLite file has this version's tables, as every migration would have left them: a test compares the two.

    Without Alembic, whose import alone would take half of the time in which a first hub starts.
    """
    from sqlalchemy.schema import CreateIndex, CreateTable

    from core.store.schema import metadata
    from core.store.statement import Statement

    statements = ["CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"]
    for table in metadata.sorted_tables:
        statements.append(Statement(CreateTable(table)).sql("sqlite"))
        statements += [Statement(CreateIndex(index)).sql("sqlite") for index in sorted(table.indexes, key=str)]
    try:
        db = sqlite3.connect(path, isolation_level=None)
        try:
            db.execute("BEGIN IMMEDIATE")
            for statement in statements:
                db.execute(statement)
            db.execute("INSERT INTO alembic_version (version_num) VALUES (?)", (HEAD,))
            db.execute("COMMIT")
        finally:
            db.close()
    except sqlite3.Error as error:
        raise StoreError(f"cannot make the database {path}: {error}") from error
