"""What holds for the repository as a whole: lock files, installed names, links, and what no file may say."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from importlib.metadata import distribution, entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("core", "commands", "hub", "adapters", "config")
LOCKS = sorted(ROOT.glob("requirements*.lock"))


def tracked(*suffixes: str) -> list[Path]:
    """Every file that is, or would be, part of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [file for file in files if file.is_file() and (not suffixes or file.suffix in suffixes)]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_file_names_no_address_and_hashes_everything(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    requirements = re.findall(r"^[a-z0-9][^\s=]*==[^\n]*$", text, flags=re.MULTILINE)
    assert requirements
    for requirement in requirements:
        assert requirement.endswith("\\"), f"{requirement} has no hash"


def test_there_is_a_lock_for_running_for_developing_for_installing_and_for_building_the_page() -> None:
    names = ("requirements-dev.lock", "requirements-install.lock", "requirements-node.lock", "requirements.lock")
    assert tuple(lock.name for lock in LOCKS) == names


def test_what_runs_is_the_same_in_both_locks() -> None:
    def pins(name: str) -> dict[str, str]:
        found = re.findall(r"^([a-z0-9][^\s=]*)==([^\s;]+)", (ROOT / name).read_text(), flags=re.MULTILINE)
        return dict(found)

    running, developing = pins("requirements.lock"), pins("requirements-dev.lock")
    assert running.items() <= developing.items()


@pytest.mark.parametrize("room", ROOMS)
def test_the_rooms_that_are_imported_are_ours(room: str) -> None:
    spec = importlib.util.find_spec(room)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).parent == ROOT / room
    assert (ROOT / room / "py.typed").exists()


def test_the_distribution_brings_exactly_its_rooms() -> None:
    from packaging.requirements import Requirement

    ours = distribution("interlock-hub")
    scripts = {point.name: point.value for point in ours.entry_points if point.group == "console_scripts"}
    assert scripts == {"interlock": "config.cli.main:main"}
    needed = {Requirement(each).name for each in ours.requires or () if "extra ==" not in each}
    assert {"sqlalchemy", "starlette", "typer"} <= needed


@pytest.mark.parametrize("group", ["interlock.adapters", "interlock.commands"])
def test_every_entry_point_of_ours_can_be_loaded(group: str) -> None:
    found = list(entry_points(group=group))
    assert found
    for point in found:
        assert point.load()


def test_every_link_in_the_documentation_leads_somewhere() -> None:
    broken = []
    for page in tracked(".md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            path, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            file = (page.parent / path).resolve() if path else page
            if not file.exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
            elif anchor and file.suffix == ".md" and anchor not in anchors(file):
                broken.append(f"{page.relative_to(ROOT)}: {target} (no such heading)")
    assert broken == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+\s+(.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_no_file_names_the_host_of_a_package_registry() -> None:
    hosts = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "npmjs" + ".com", "deb.debian" + ".org"]
    found = []
    for file in tracked():
        text = file.read_text(errors="ignore")
        found += [f"{file.relative_to(ROOT)}: {host}" for host in hosts if host in text]
    assert found == []


def test_only_config_reads_the_environment() -> None:
    allowed = {
        "core/apply/keeper.py",  # a program of its own: it passes on what it was started with
        "hub/client/address.py",  # part of other people's programs, which are told where the hub is in this way
    }
    found = []
    for file in tracked(".py"):
        room = file.relative_to(ROOT).parts[0]
        if room not in ROOMS or room == "config":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and is_os(node.value):
                found.append(str(file.relative_to(ROOT)))
    assert sorted(set(found) - allowed) == []


def is_os(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "os"


def test_the_secret_scan_finds_a_secret_and_does_not_show_it(tmp_path: Path) -> None:
    key = "ilk_" + "a1B2" * 9
    leaked = tmp_path / "notes.txt"
    leaked.write_text(f"first line\nmy key is {key}\n")
    clean = tmp_path / "clean.txt"
    clean.write_text("nothing here\n")
    scan = [sys.executable, str(ROOT / ".ci" / "find_secrets.py")]
    found = subprocess.run([*scan, str(leaked)], capture_output=True, text=True)
    assert found.returncode == 1
    assert "notes.txt:2" in found.stderr
    assert key not in found.stderr + found.stdout
    assert subprocess.run([*scan, str(clean)], capture_output=True).returncode == 0
