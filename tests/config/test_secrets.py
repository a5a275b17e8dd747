from pathlib import Path

import pytest

from config.secrets import MAX_SECRET, Secrets, has_reference
from core.errors import Unavailable


def test_references_become_what_they_refer_to(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from a file\n")
    secrets = Secrets({"TOKEN": "from the environment"}, tmp_path)

    assert secrets.resolve("${env:TOKEN}, ${file:token}.") == "from the environment, from a file."
    assert secrets.resolve("no reference") == "no reference"


def test_what_a_secret_holds_is_not_read_again(tmp_path: Path) -> None:
    assert Secrets({"A": "${env:B}", "B": "leaked"}, tmp_path).resolve("${env:A}") == "${env:B}"


def test_a_missing_or_empty_secret_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "large").write_text("x" * (MAX_SECRET + 1))
    (tmp_path / "binary").write_bytes(b"\xff")
    secrets = Secrets({"EMPTY": ""}, tmp_path)

    for reference in ("env:GONE", "env:EMPTY", "file:gone", "file:empty", "file:large", "file:binary", "file:."):
        with pytest.raises(Unavailable) as refused:
            secrets.resolve(f"${{{reference}}}")
        assert refused.value.code == "missing_secret"
        assert refused.value.data["reference"] == f"${{{reference}}}"


def test_only_the_two_forms_are_references() -> None:
    assert has_reference("Bearer ${env:A}")
    assert has_reference("${file:/run/secret}")
    assert not any(has_reference(text) for text in ("$A", "${A}", "{env:A}", "${vault:A}", "${env:}"))
