from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from config.cli import main

COMMANDS = {
    *("up", "init", "check", "schema", "reload", "doctor", "migrate", "backup", "restore", "say", "ask"),
    *("approve", "reject", "show", "queue", "who", "stop", "resume", "lease", "audit", "key", "login-link", "slack"),
    *("policy", "receipt", "verify-receipt", "mcp", "trigger"),
}


def test_every_command_of_the_contract_is_there_and_none_besides(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == 0
    listed = {
        line.split()[0] for line in capsys.readouterr().out.partition("Commands:")[2].splitlines() if line.strip()
    }
    assert listed == COMMANDS


@pytest.mark.parametrize("module", ["sqlalchemy", "fastapi", "starlette", "pydantic", "httpx", "alembic", "psycopg"])
def test_asking_for_help_imports_nothing_heavy(module: str) -> None:
    code = f"import sys; from config.cli import main; main.run(['--help']); sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_a_bug_is_told_in_one_line_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(main, "app", broken)
    assert main.run(["status", "--json"]) == 1
    said = capsys.readouterr()
    assert "boom" in said.err
    assert "Traceback" not in said.err
    assert json.loads(said.out)["code"] == "bug"


def test_a_url_without_a_key_is_a_mistake_of_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERLOCK_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("INTERLOCK_KEY", raising=False)
    assert main.run(["queue"]) == 2
    assert "INTERLOCK_KEY" in capsys.readouterr().err


def test_without_a_hub_the_answer_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("INTERLOCK_URL", "INTERLOCK_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert main.run(["queue", "--data", str(tmp_path)]) == 8
    assert "interlock up" in capsys.readouterr().err


def test_check_names_file_line_and_remedy_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "hub.yaml"
    file.write_text("version: 1\npeople:\n  ana: {nmae: Ana}\n")
    assert main.run(["check", str(file)]) == 1
    assert "hub.yaml:3" in capsys.readouterr().out
    file.write_text("version: 1\npeople:\n  ana: {name: Ana}\n")
    assert main.run(["check", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_init_writes_a_configuration_that_is_valid_and_never_overwrites(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["init", str(tmp_path)]) == 0
    assert main.run(["check", str(tmp_path / "hub.yaml")]) == 0
    before = (tmp_path / "hub.yaml").read_text()
    assert main.run(["init", str(tmp_path)]) == 3
    assert (tmp_path / "hub.yaml").read_text() == before


def test_the_schema_is_a_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["schema"]) == 0
    assert "properties" in json.loads(capsys.readouterr().out)
