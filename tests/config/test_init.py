import os
import subprocess
from pathlib import Path

import pytest

from config.init import write_sample
from config.loader import load
from core.apply.params import bind
from core.apply.template import render_argv
from core.errors import Conflict
from core.people.directory import Kind


def run(folder: Path, program: str, *arguments: str, fence: int = 1) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(folder / "ops" / program), *arguments],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "INTERLOCK_FENCE": str(fence)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_sample_passes_check_without_a_warning(tmp_path: Path) -> None:
    write_sample(tmp_path, user="somebody")

    loaded = load(tmp_path / "hub.yaml", {})

    assert loaded.warnings == ()
    assert loaded.world.public_url == "http://127.0.0.1:8000"
    assert {(each.id, each.kind) for each in loaded.world.people} == {
        ("ana", Kind.PERSON),
        ("bo", Kind.PERSON),
        ("deploy-bot", Kind.AGENT),
        ("ci", Kind.SERVICE),
    }


@pytest.mark.parametrize("user", ["somebody", "some.body", "yes", "007"])
def test_whoever_runs_it_is_ana_in_the_shell(tmp_path: Path, user: str) -> None:
    write_sample(tmp_path, user=user)

    found = load(tmp_path / "hub.yaml", {}).world.people.by_os_user(user)

    assert found is not None
    assert found.id == "ana"


@pytest.mark.parametrize("user", [None, "root", "DOMAIN\\user", 'a"b'])
def test_root_and_unusable_logins_are_nobody(tmp_path: Path, user: str | None) -> None:
    write_sample(tmp_path, user=user)

    assert all(each.os_user is None for each in load(tmp_path / "hub.yaml", {}).world.people)


@pytest.mark.parametrize("there", ["hub.yaml", "ops/plan"])
def test_nothing_is_written_where_something_stands(tmp_path: Path, there: str) -> None:
    (tmp_path / "ops").mkdir()
    (tmp_path / there).write_text("mine")

    with pytest.raises(Conflict) as refused:
        write_sample(tmp_path, user=None)

    assert there in refused.value.message
    assert [str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_the_commands_run_as_the_action_names_them(tmp_path: Path) -> None:
    write_sample(tmp_path, user=None)
    action = load(tmp_path / "hub.yaml", {}).world.actions["deploy"]
    values = bind(action, {"service": "web", "version": "v1.2.0", "env": "prod"}).values

    for operation in (
        *action.validate,
        action.preview.operation if action.preview else None,
        action.apply,
        action.rollback,
    ):
        assert operation is not None
        argv = render_argv(operation.argv, values)  # type: ignore[union-attr]
        assert os.access(tmp_path / argv[0], os.X_OK)
        assert run(tmp_path, Path(argv[0]).name, *argv[1:]).returncode == 0


def test_the_preview_shows_the_change_the_same_each_time_and_changes_nothing(tmp_path: Path) -> None:
    write_sample(tmp_path, user=None)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}

    shown = [run(tmp_path, "plan", "web", "v1.2.0", "prod").stdout for _ in range(2)]

    assert shown == ["ops/state/prod.txt\n- web v1.0.0\n+ web v1.2.0\n"] * 2
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_deploy_changes_the_file_and_rollback_restores_that_service_alone(tmp_path: Path) -> None:
    write_sample(tmp_path, user=None)
    state = tmp_path / "ops" / "state" / "prod.txt"

    assert run(tmp_path, "deploy", "web", "v1.2.0", "prod").returncode == 0
    assert run(tmp_path, "deploy", "api", "v0.1.0", "prod").returncode == 0
    assert state.read_text() == "api v0.1.0\nweb v1.2.0\n"
    assert run(tmp_path, "rollback", "web", "prod").returncode == 0
    assert state.read_text() == "api v0.1.0\nweb v1.0.0\n"
    assert run(tmp_path, "rollback", "api", "prod").returncode == 0
    assert state.read_text() == "web v1.0.0\n"
    assert run(tmp_path, "rollback", "web", "prod").returncode == 1


def test_a_run_with_an_older_token_writes_nothing(tmp_path: Path) -> None:
    write_sample(tmp_path, user=None)
    run(tmp_path, "deploy", "web", "v1.2.0", "prod", fence=1_767_225_600_000_001)

    late = run(tmp_path, "deploy", "web", "v9.9.9", "prod", fence=1_767_225_600_000_000)

    assert late.returncode == 1
    assert "v9.9.9" not in (tmp_path / "ops" / "state" / "prod.txt").read_text()
