"""What the page is made of agrees with the hub: its types, its escaping, and a lock file that names no registry."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parents[1]
WEB = REPOSITORY / "adapters" / "websocket" / "web"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ci_{name}", REPOSITORY / ".ci" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["wire/frames.ts", "text/invisible.ts"])
def test_what_is_made_from_the_hubs_models_is_as_they_are_now(name: str) -> None:
    made = script("frames").FILES[name]()
    assert (WEB / "src" / name).read_text() == made, "run .venv/bin/python .ci/frames.py"


def test_the_lock_file_names_no_registry_and_every_package_by_its_hash() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert len(packages) > 100
    for name, each in packages.items():
        assert "resolved" not in each, name
        assert each["integrity"].startswith("sha512-"), name
    assert "://" not in (WEB / ".npmrc").read_text()
    assert "://" not in (REPOSITORY / "requirements-node.lock").read_text()


def test_every_dependency_is_pinned_and_stands_in_the_list_of_dependencies() -> None:
    package = json.loads((WEB / "package.json").read_text())
    told = (REPOSITORY / "docs" / "dependencies.md").read_text()
    for name, version in (package["dependencies"] | package["devDependencies"]).items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
        assert f"`{name}`" in told, f"{name} is not in docs/dependencies.md"


def test_no_text_of_the_page_becomes_markup() -> None:
    for path in (WEB / "src").rglob("*.ts*"):
        text = path.read_text()
        for never in (
            "dangerouslySetInnerHTML",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "eval(",
            "new Function",
        ):
            assert never not in text, f"{path.name}: {never}"


def test_what_the_build_is_made_of_is_known_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = script("page")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.ts").write_text("1")
    monkeypatch.setattr(page, "WEB", tmp_path)
    first = page.fingerprint()
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "b.js").write_text("2")
    assert page.fingerprint() == first
    (tmp_path / "src" / "a.ts").write_text("3")
    assert page.fingerprint() != first


def test_a_machine_without_node_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = script("page")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(page, "STAMP", tmp_path / "none")
    monkeypatch.setattr(page, "LOCK", tmp_path / "none")
    monkeypatch.setattr(page, "node_of_wheel", lambda: None)
    assert page.main(["build"]) == 1
    assert "needs Node 20.19 or later" in capsys.readouterr().err


def test_a_machine_without_a_network_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = script("page")
    monkeypatch.setattr(page, "WEB", tmp_path)
    monkeypatch.setattr(page, "STAMP", tmp_path / "none")
    monkeypatch.setattr(page, "INSTALLED", tmp_path / "none")
    (tmp_path / "package-lock.json").write_text("{}")
    failing = ["/bin/sh", "-c", "echo no such host >&2; exit 1", "npm"]
    monkeypatch.setattr(page, "find_node", lambda: ({}, failing))
    assert page.main(["build"]) == 1
    told = capsys.readouterr().err
    assert "is there a network" in told and "no such host" in told
