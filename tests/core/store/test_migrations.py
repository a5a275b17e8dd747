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

from core.clock import SystemClock
from core.errors import NotFound, StoreError
from core.leases.finding import ticket_row
from core.leases.terms import ARRIVAL_STEP, arrival_of
from core.store import migrate
from core.store.database import Database
from core.store.schema import metadata
from core.store.sqlite import SqliteEngine


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


def at_version(path: Path, revision: str) -> Config:
    """A new database with the tables of that version."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.attributes["url"] = migrate.url_of(path)
    command.upgrade(config, revision)
    return config


def test_whoever_waited_before_the_arrivals_were_numbers_is_still_before_everybody_new(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    config = at_version(path, "0014")
    with connect(path) as db:
        db.execute("INSERT INTO shard (id, epoch, last_token, arrival) VALUES (0, 3, 77, ?)", (9 * ARRIVAL_STEP,))
        db.execute("INSERT INTO counter (kind, value) VALUES ('lease', 5)")
        db.execute(
            "INSERT INTO lease (id, state, ticket, holder, principal, resources, mode, rank_class, arrival, ttl_us, "
            "max_hold_us, queued_at, wait_until, expires_at, free_at, lock_delay_us, kind) VALUES (5, 'waiting', 2, 'L5', "
            """'bo', '["env:prod"]', 'exclusive', 100, ?, 9, 9, 1, 9, 9, 9, 0, 'lease')""",
            (9 * ARRIVAL_STEP,),
        )
        db.execute(
            "INSERT INTO log (seq, entry, leaf_hash, ts, event) VALUES (1, x'01', x'02', 3, 'hub:started')",
        )
    db.close()

    migrate.migrate(path)

    with connect(path) as db:
        epoch, token, number = db.execute("SELECT epoch, last_token, last_number FROM shard").fetchone()
        assert (epoch, token) == (3, 77)
        assert arrival_of(number + 1) > 9 * ARRIVAL_STEP and number >= 5
        assert db.execute("SELECT seq, entry, leaf_hash, ts, event FROM log").fetchall() == [
            (1, b"\x01", b"\x02", 3, "hub:started")
        ]
        assert db.execute("SELECT name FROM sqlite_master WHERE name = 'sqlite_autoindex_log_1'").fetchall() == []
    db.close()
    hub = Database(SqliteEngine(path, SystemClock()))
    assert hub.read_now(ticket_row, "bo", "T2")["id"] == 5  # the place that an older version numbered by itself
    with pytest.raises(NotFound):
        hub.read_now(ticket_row, "bo", "T5")
    hub.discard()
    command.downgrade(config, "0014")
    with connect(path) as db:
        (arrival,) = db.execute("SELECT arrival FROM shard").fetchone()
        assert arrival >= 9 * ARRIVAL_STEP
        assert db.execute("SELECT value FROM counter WHERE kind = 'lease'").fetchone() == (number,)
    db.close()


def test_a_database_of_the_first_version_is_brought_to_this_one_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    config = at_version(path, "0001")
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
