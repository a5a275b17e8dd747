"""Servers that tests need, started privately from the binaries on this machine, on Unix sockets."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

_START_SECONDS = 30.0


def missing(what: str, remedy: str) -> None:
    """Skip the test that needs `what`; fail it where INTERLOCK_TEST_STRICT=1 says that everything must run."""
    reason = f"{what} is missing: {remedy}"
    if os.environ.get("INTERLOCK_TEST_STRICT") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def find_postgres() -> Path | None:
    """The directory of `postgres` and `initdb`: from PATH, else Debian's newest per-version directory."""
    found = shutil.which("postgres")
    if found and shutil.which("initdb"):
        return Path(found).parent
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "postgres").exists()]
    return max(versions, key=lambda path: int(path.parent.name), default=None)


def _owner(directory: str) -> dict[str, Any]:
    """How to drop the uid for a server that refuses root; gives it `directory`."""
    if os.geteuid() != 0:
        return {}
    names = [user.pw_name for user in pwd.getpwall()]
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(directory, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def postgres(binaries: Path) -> Iterator[str]:
    """A running server of its own; its DSN without a database's name: `postgresql://hub@/{}?host=...`."""
    directory = tempfile.mkdtemp(prefix="pg")
    owner = _owner(directory)
    env = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": directory}
    server: subprocess.Popen[bytes] | None = None
    try:
        subprocess.run(
            [
                *(binaries / "initdb", "-D", f"{directory}/data", "-U", "hub", "--auth=trust", "-E", "UTF8"),
                *("--no-sync", "--no-instructions"),
            ],
            env=env,
            cwd=directory,
            check=True,
            capture_output=True,
            **owner,
        )
        settings = ["listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        with open(f"{directory}/server.log", "wb") as log:
            server = subprocess.Popen(
                [str(binaries / "postgres"), "-D", f"{directory}/data", "-k", directory]
                + [part for setting in settings for part in ("-c", setting)],
                env=env,
                cwd=directory,
                stdout=log,
                stderr=log,
                **owner,
            )
        dsn = f"postgresql://hub@/{{}}?host={directory}"
        _await_answer(server, dsn.format("postgres"), Path(f"{directory}/server.log"))
        yield dsn
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _await_answer(server: subprocess.Popen[bytes], dsn: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        with suppress(psycopg.OperationalError):
            psycopg.connect(dsn, connect_timeout=1).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
