"""A command is resolved as a whole, or refused with a reason, before anything runs."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from core.apply.action import CommandSpec
from core.apply.environment import Environment
from core.apply.prepared import Account, account, prepare
from core.errors import Forbidden, Invalid, Refusal

ENVIRONMENT = Environment(values={"A": "canary"}, stdin=b"canary", secrets=("canary",))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "ops").mkdir()
    script = tmp_path / "ops" / "deploy"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    return tmp_path


def test_a_relative_command_runs_below_the_root_and_in_it(root: Path) -> None:
    found = prepare(CommandSpec(argv=("./ops/deploy", "web"), timeout_seconds=9), root=root, environment=ENVIRONMENT)
    assert (found.executable, found.cwd) == (root / "ops" / "deploy", root)
    assert (found.argv, found.timeout_seconds, found.account) == (("./ops/deploy", "web"), 9, None)
    assert (found.env, found.stdin, found.redact) == ({"A": "canary"}, b"canary", ("canary",))


def test_a_folder_to_run_in_is_below_the_root(root: Path) -> None:
    found = prepare(CommandSpec(argv=("./ops/deploy",), cwd="ops"), root=root, environment=ENVIRONMENT)
    assert found.cwd == root / "ops"


@pytest.mark.parametrize(
    ("argv", "cwd", "code"),
    [
        ((), None, "bad_argument"),
        (("./ops/deploy", "a\0b"), None, "bad_argument"),
        (("./ops/gone",), None, "file_missing"),
        (("../../bin/sh",), None, "outside_root"),
        (("./ops/deploy",), "..", "outside_root"),
        (("./ops/deploy",), "ops/deploy", "not_a_folder"),
        (("./ops/deploy",), "gone", "file_missing"),
    ],
)
def test_what_cannot_run_is_refused(root: Path, argv: tuple[str, ...], cwd: str | None, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        prepare(CommandSpec(argv=argv, cwd=cwd), root=root, environment=ENVIRONMENT)
    assert refused.value.code == code


def test_no_secret_is_in_the_repr(root: Path) -> None:
    assert "canary" not in repr(prepare(CommandSpec(argv=("./ops/deploy",)), root=root, environment=ENVIRONMENT))


def test_an_account_that_is_not_there_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        account("no-such-account")
    assert refused.value.code == "unknown_account"


def test_the_hubs_own_account_needs_no_change() -> None:
    assert account(pwd.getpwuid(os.geteuid()).pw_name) is None


def test_another_account_needs_a_hub_that_runs_as_root() -> None:
    if os.geteuid() == 0:
        entry = pwd.getpwnam("nobody")
        found = account("nobody")
        assert found == Account(uid=entry.pw_uid, groups=found.groups if found else ())
        assert found is not None
        assert found.groups[0] == entry.pw_gid
        assert len(set(found.groups)) == len(found.groups)
        assert 0 not in found.groups
    else:
        with pytest.raises(Forbidden) as refused:
            account("root")
        assert refused.value.code == "run_as_not_permitted"
