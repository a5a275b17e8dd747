"""What every test may ask for: a clock that it moves, a database on either engine, a private PostgreSQL."""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

from servers import find_postgres, missing, postgres

from core.clock import ManualClock
from core.store.database import Database
from core.store.engine import Engine
from core.store.migrate import migrate
from core.store.postgres import PostgresEngine
from core.store.sqlite import SqliteEngine

if TYPE_CHECKING:
    from mail import Lab

# How long one example takes says more about what else the machine does than about us.
settings.register_profile("interlock", deadline=None)
settings.load_profile("interlock")


SLOWEST = (
    *("journeys/test_crash.py", "email/test_faults.py", "email/test_lab.py", "journeys/test_shell.py"),
    *("journeys/test_page_", "journeys/", "hub/client/"),
)
"""Where the tests are that take minutes, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no worker is left alone with it in the end."""
    items.sort(key=lambda item: next((at for at, part in enumerate(SLOWEST) if part in item.nodeid), len(SLOWEST)))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> ManualClock:
    """The clock behind `database`; PostgreSQL has a clock of its own, which no test moves."""
    return ManualClock()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated, empty database's file: a copy of it saves each test the migration."""
    path = tmp_path_factory.mktemp("template") / "hub.db"
    migrate(path)
    return path.read_bytes()


@pytest.fixture
def sqlite_path(tmp_path: Path, sqlite_template: bytes) -> Path:
    """A migrated, empty SQLite database."""
    path = tmp_path / "hub.db"
    path.write_bytes(sqlite_template)
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A private PostgreSQL for the whole run: a DSN with `{}` for the database's name."""
    binaries = find_postgres()
    if binaries is None:
        missing("PostgreSQL", "install it (Debian: apt-get install postgresql) or put `postgres` on PATH")
        raise AssertionError("not reached")
    with postgres(binaries) as dsn:
        dsn_of_template = dsn.format("template_hub")
        with psycopg.connect(dsn.format("postgres"), autocommit=True) as admin:
            admin.execute("CREATE DATABASE template_hub")
        migrate(dsn_of_template)
        yield dsn


@pytest.fixture
def postgres_dsn(postgres_server: str) -> Iterator[str]:
    """A migrated, empty PostgreSQL database of this test's own."""
    name = f"t{secrets.token_hex(6)}"
    with psycopg.connect(postgres_server.format("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template_hub")
        yield postgres_server.format(name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def serving(engine: Engine) -> Iterator[Database]:
    database = Database(engine)
    database.open()
    try:
        yield database
    finally:
        database.close()


@pytest.fixture
def database(sqlite_path: Path, clock: ManualClock) -> Iterator[Database]:
    """A working SQLite database under `clock`, news given on the writer's thread."""
    with serving(SqliteEngine(sqlite_path, clock)) as opened:
        yield opened


@pytest.fixture
def postgres_database(postgres_dsn: str) -> Iterator[Database]:
    """A working PostgreSQL database."""
    with serving(PostgresEngine(postgres_dsn)) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest) -> Database:
    """Both, one after the other."""
    opened: Database = request.getfixturevalue("database" if request.param == "sqlite" else "postgres_database")
    return opened


@pytest.fixture(params=["sqlite", "postgresql"])
def any_engine(request: pytest.FixtureRequest, clock: ManualClock) -> Callable[[], Engine]:
    """Opens an engine on one migrated database, as often as asked: a node each time."""
    if request.param == "sqlite":
        path: Path = request.getfixturevalue("sqlite_path")
        return lambda: SqliteEngine(path, clock)
    dsn: str = request.getfixturevalue("postgres_dsn")
    return lambda: PostgresEngine(dsn)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A real Dovecot and a real Exim."""
    from mail import mail_lab

    for name in ("dovecot", "exim4"):
        if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            packages = "dovecot-imapd dovecot-lmtpd dovecot-sieve exim4-daemon-light"
            missing(name, f"install it (Debian: apt-get install {packages})")
    with mail_lab() as running:
        yield running
