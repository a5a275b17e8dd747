"""A command that is ready to be started: everything resolved, nothing left to look up."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.apply.action import CommandSpec
from core.apply.environment import Environment
from core.apply.fingerprint import resolve_executable, resolve_file
from core.apply.printed import OUTPUT_LIMIT
from core.errors import Forbidden, Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The account a command runs as when it is not the hub's own."""

    uid: int
    groups: tuple[int, ...]
    """The primary group first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One command as the kernel will be given it. Secrets are in `env` or `stdin` and never shown."""

    executable: Path
    argv: tuple[str, ...]
    cwd: Path
    timeout_seconds: float
    env: Mapping[str, str] = field(repr=False)
    stdin: bytes | None = field(default=None, repr=False)
    account: Account | None = None
    redact: tuple[str, ...] = field(default=(), repr=False)
    """Values that must not appear in the output."""
    output_limit: int = OUTPUT_LIMIT


def prepare(
    spec: CommandSpec,
    *,
    root: Path,
    environment: Environment,
    output_limit: int = OUTPUT_LIMIT,
) -> Prepared:
    """The rendered `spec` with its program, folder and account resolved; nothing has run.

    Raises a Refusal (`file_missing`, `outside_root`, `not_a_file`, `not_executable`, `unknown_account`,
    `run_as_not_permitted`, `bad_argument`).
    """
    if not spec.argv:
        raise Invalid("bad_argument", "a command needs at least the name of a program")
    if any("\0" in argument for argument in spec.argv):
        raise Invalid("bad_argument", "an argument may not contain NUL")
    cwd = resolve_file(root, spec.cwd) if spec.cwd else root.resolve()
    if not cwd.is_dir():
        raise Invalid("not_a_folder", f"{spec.cwd!r} is not a folder to run in", path=spec.cwd)
    return Prepared(
        executable=resolve_executable(root, spec.argv[0]),
        argv=spec.argv,
        cwd=cwd,
        timeout_seconds=spec.timeout_seconds,
        env=environment.values,
        stdin=environment.stdin,
        account=account(spec.run_as) if spec.run_as else None,
        redact=environment.secrets,
        output_limit=output_limit,
    )


def account(name: str) -> Account | None:
    """The account called `name`; None when the hub runs as it already."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise Invalid("unknown_account", f"run_as names {name!r}, an account that this machine does not have") from None
    if entry.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise Forbidden("run_as_not_permitted", f"only a hub that runs as root can run a command as {name!r}")
    others = [group for group in os.getgrouplist(name, entry.pw_gid) if group != entry.pw_gid]
    return Account(uid=entry.pw_uid, groups=(entry.pw_gid, *others))
