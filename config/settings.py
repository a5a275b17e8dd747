"""How one hub is started: where its configuration and its data are, and where it listens."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import Invalid

DEFAULT_PORT = 8000
SOCKET = "control.sock"
POINTER = "control.path"
"""The control socket's name in the data directory, and the file that says where it is when that name is too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where everything is. `environ` is what references in hub.yaml resolve against."""

    config: Path
    data: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    database_url: str | None = None
    """A PostgreSQL DSN; None is SQLite in the data directory."""
    environ: Mapping[str, str]

    @property
    def database(self) -> Path | str:
        """What the store opens: the SQLite file's path or the DSN."""
        return self.database_url or self.data / "hub.db"

    @property
    def socket(self) -> Path:
        """The control socket of the hub that runs on this data directory (hub/http/control.py puts it there)."""
        try:
            return Path((self.data / POINTER).read_text().strip())
        except OSError:
            return self.data / SOCKET

    @property
    def default_anchor(self) -> Path | None:
        """Where checkpoints also go when hub.yaml names no anchor: a file in the user's state directory.

        None for a user without a home.
        """
        home, given = self.environ.get("HOME"), self.environ.get("XDG_STATE_HOME")
        if not home and not given:
            return None
        state = Path(given) if given else Path(str(home)) / ".local" / "state"
        name = hashlib.sha256(str(self.data.resolve()).encode()).hexdigest()[:16]
        return state / "interlock" / f"checkpoints-{name}.log"


def read(
    environ: Mapping[str, str],
    *,
    config: Path | None = None,
    data: Path | None = None,
    host: str | None = None,
    port: int | None = None,
) -> Settings:
    """The settings: flags first, then `INTERLOCK_*`, then the defaults.

    Raises Invalid: `bad_port`, `bad_database_url`, `no_redis`.
    """
    if environ.get("INTERLOCK_REDIS_URL"):
        raise Invalid("no_redis", "INTERLOCK_REDIS_URL is set, and this version keeps leases in its database; unset it")
    return Settings(
        config=(config or Path(environ.get("INTERLOCK_CONFIG") or "hub.yaml")).absolute(),
        data=(data or Path(environ.get("INTERLOCK_DATA") or "data")).absolute(),
        host=host or environ.get("INTERLOCK_HOST") or "127.0.0.1",
        port=port if port is not None else _port(environ.get("INTERLOCK_PORT")),
        database_url=_database_url(environ.get("INTERLOCK_DATABASE_URL")),
        environ=environ,
    )


def _port(text: str | None) -> int:
    if not text:
        return DEFAULT_PORT
    if not (text.isascii() and text.isdigit()) or int(text) > 65_535:
        raise Invalid("bad_port", f"INTERLOCK_PORT is {text!r}; it must be a number from 0 (any free port) to 65535")
    return int(text)


def _database_url(text: str | None) -> str | None:
    if not text:
        return None
    if not text.startswith(("postgresql://", "postgresql+psycopg://")):
        scheme = text.partition(":")[0]
        raise Invalid(
            "bad_database_url",
            f"INTERLOCK_DATABASE_URL begins with {scheme!r}; write postgresql://…, or unset it for SQLite",
        )
    return text
