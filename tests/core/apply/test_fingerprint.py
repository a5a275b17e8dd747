"""Names lead below the root or to a refusal; every change of what would run changes the fingerprint."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.apply import fingerprint as module
from core.apply.fingerprint import fingerprint, fingerprint_now, resolve_executable, resolve_file
from core.errors import Refusal

pytestmark = pytest.mark.anyio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "ops" / "lib").mkdir(parents=True)
    for name in ("ops/deploy", "ops/lib/one", "ops/lib/two"):
        (root / name).write_text(f"#!/bin/sh\n# {name}\n")
    (root / "ops/deploy").chmod(0o755)
    (tmp_path / "outside").write_text("outside")
    (tmp_path / "outside").chmod(0o755)
    return root


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refused:
        call()
    return refused.value.code


async def test_each_name_has_the_hash_of_its_file(root: Path) -> None:
    found = await fingerprint(root, ["ops/lib/one"], executables=["./ops/deploy", "/bin/sh", "env"])
    assert found == {
        "./ops/deploy": hashlib.sha256((root / "ops/deploy").read_bytes()).hexdigest(),
        "/bin/sh": hashlib.sha256(Path("/bin/sh").read_bytes()).hexdigest(),
        str(resolve_executable(root, "env")): hashlib.sha256(resolve_executable(root, "env").read_bytes()).hexdigest(),
        "ops/lib/one": hashlib.sha256((root / "ops/lib/one").read_bytes()).hexdigest(),
    }


async def test_a_folders_hash_is_stable(root: Path) -> None:
    assert await fingerprint(root, ["ops"]) == await fingerprint(root, ["ops"])


def add(root: Path) -> None:
    (root / "ops/lib/three").write_text("")


def change(root: Path) -> None:
    (root / "ops/lib/one").write_text("#!/bin/sh\n# ops/lib/onE\n")


def remove(root: Path) -> None:
    (root / "ops/lib/one").unlink()


def rename(root: Path) -> None:
    (root / "ops/lib/one").rename(root / "ops/lib/uno")


def move(root: Path) -> None:
    (root / "ops/lib/one").rename(root / "ops/one")


def make_executable(root: Path) -> None:
    (root / "ops/lib/one").chmod(0o755)


def add_folder(root: Path) -> None:
    (root / "ops/empty").mkdir()


def link(root: Path) -> None:
    (root / "ops/lib/one").unlink()
    (root / "ops/lib/one").symlink_to("two")


@pytest.mark.parametrize("edit", [add, change, remove, rename, move, make_executable, add_folder, link])
def test_every_change_below_a_folder_changes_its_hash(root: Path, edit: Callable[[Path], None]) -> None:
    before = fingerprint_now(root, ["ops"])
    edit(root)
    assert fingerprint_now(root, ["ops"]) != before


def test_what_a_link_leads_to_is_bound_as_well(root: Path) -> None:
    (root / "shared").mkdir()
    (root / "shared" / "code").write_text("1")
    (root / "ops" / "link").symlink_to("../shared")
    before = fingerprint_now(root, ["ops"])
    (root / "shared" / "code").write_text("2")
    assert fingerprint_now(root, ["ops"]) != before


def test_links_in_a_circle_end(root: Path) -> None:
    (root / "ops" / "lib" / "up").symlink_to("..")
    (root / "ops" / "self").symlink_to(".")
    assert len(fingerprint_now(root, ["ops"])["ops"]) == 64


@pytest.mark.parametrize("name", ["../outside", "ops/../../outside", "leading", "folder/outside", "chain"])
def test_no_name_leads_out_of_the_root(root: Path, name: str) -> None:
    (root / "leading").symlink_to(root.parent / "outside")
    (root / "folder").symlink_to(root.parent)
    (root / "chain").symlink_to("leading")
    assert code_of(lambda: resolve_executable(root, f"./{name}")) == "outside_root"
    assert code_of(lambda: resolve_file(root, name)) == "outside_root"


def test_a_folder_that_is_a_prefix_of_another_is_not_its_root(root: Path) -> None:
    (root.parent / "root-2").mkdir()
    (root.parent / "root-2" / "x").write_text("")
    assert code_of(lambda: resolve_file(root, "../root-2/x")) == "outside_root"


def test_no_link_below_a_folder_leads_out_of_the_root(root: Path) -> None:
    (root / "ops" / "lib" / "link").symlink_to(root.parent / "outside")
    assert code_of(lambda: fingerprint_now(root, ["ops"])) == "outside_root"


def test_a_root_that_is_itself_a_link_is_where_it_leads(root: Path) -> None:
    alias = root.parent / "alias"
    alias.symlink_to(root)
    assert resolve_executable(alias, "./ops/deploy") == root / "ops/deploy"
    assert fingerprint_now(alias, ["ops"]) == fingerprint_now(root, ["ops"])


def test_what_is_missing_is_named(root: Path) -> None:
    (root / "ops" / "dangling").symlink_to("nowhere")
    (root / "circle").symlink_to("circle")
    assert code_of(lambda: resolve_executable(root, "./ops/gone")) == "file_missing"
    assert code_of(lambda: resolve_executable(root, "no-such-program")) == "file_missing"
    assert code_of(lambda: resolve_executable(root, "/no/such/program")) == "file_missing"
    assert code_of(lambda: resolve_executable(root, "")) == "file_missing"
    assert code_of(lambda: resolve_file(root, "gone")) == "file_missing"
    assert code_of(lambda: resolve_file(root, "circle")) == "file_missing"
    assert code_of(lambda: fingerprint_now(root, ["ops"])) == "file_missing"


def test_a_bare_name_is_looked_for_on_the_fixed_path_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(root / "ops"))
    monkeypatch.chdir(root / "ops")
    assert code_of(lambda: resolve_executable(root, "deploy")) == "file_missing"
    assert str(resolve_executable(root, "sh")) in {f"{folder}/sh" for folder in module.PATH.split(":")}


def test_only_a_file_that_may_be_run_is_a_program(root: Path) -> None:
    assert code_of(lambda: resolve_executable(root, "./ops")) == "not_a_file"
    assert code_of(lambda: resolve_executable(root, "./ops/lib/one")) == "not_executable"


def test_a_pipe_is_refused_without_being_waited_for(root: Path) -> None:
    os.mkfifo(root / "ops" / "pipe")
    assert code_of(lambda: fingerprint_now(root, ["ops/pipe"])) == "not_a_file"
    assert code_of(lambda: fingerprint_now(root, ["ops"])) == "not_a_file"


def test_too_much_to_hash_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 3)
    assert code_of(lambda: fingerprint_now(root, ["ops"])) == "files_too_large"
    monkeypatch.setattr(module, "MOST_FILES", 100)
    monkeypatch.setattr(module, "MOST_BYTES", 20)
    assert code_of(lambda: fingerprint_now(root, ["ops"])) == "files_too_large"
