"""The migrations make exactly the tables that the schema says, on both databases."""

from __future__ import annotations

from pathlib import Path
from sqlite3 import connect

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from core.errors import StoreError
from core.store import migrate
from core.store.schema import metadata


def difference(target: Path | str) -> list[object]:
    migrate.migrate(target)
    engine = create_engine(migrate.url_of(target), poolclass=NullPool)
    with engine.connect() as connection:
        found = list(compare_metadata(MigrationContext.configure(connection), metadata))
    engine.dispose()
    return found


def test_the_migrations_make_the_schema_on_sqlite(tmp_path: Path) -> None:
    assert difference(tmp_path / "hub.db") == []


def test_the_migrations_make_the_schema_on_postgresql(postgres_dsn: str) -> None:
    assert difference(postgres_dsn) == []


def test_the_head_that_start_up_looks_for_is_the_newest_revision() -> None:
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert scripts.get_current_head() == migrate.HEAD


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:

    path = tmp_path / "hub.db"
    migrate.migrate(path)
    with connect(path) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    db.close()
    with pytest.raises(StoreError, match="newer"):
        migrate.migrate(path)


def test_a_database_of_the_first_version_is_brought_to_this_one_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.attributes["url"] = migrate.url_of(path)
    command.upgrade(config, "0001")
    with connect(path) as db:
        db.execute(
            "INSERT INTO decision (id, approval, revision, digest, by, verdict, channel, assurance, at) "
            "VALUES (1, 1, 1, 'd', 'ana', 'approve', 'http', 2, 1)"
        )
    db.close()

    assert difference(path) == []

    with connect(path) as db:
        assert db.execute("SELECT by, voice FROM decision").fetchall() == [("ana", "ana")]
    db.close()
    fresh = tmp_path / "fresh.db"
    migrate.migrate(fresh)
    assert objects(path) == objects(fresh)
    command.downgrade(config, "0001")


def objects(path: Path) -> set[tuple[str, str]]:
    with connect(path) as db:
        found = db.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    db.close()
    return set(found)
