"""The files that a browser loads: the page as Vite built it into `static/`, and what pages without scripts need.

Names of built files carry a hash of their content, so a browser keeps them for good; each is compressed once.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import orjson

_HERE = Path(__file__).parent
_BUILT = _HERE / "static"
_PLAIN = _HERE / "pages"
_ENTRY = "src/main.tsx"
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_COMPRESSED = frozenset({".js", ".css", ".svg"})
_LEAST_BYTES = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file as it is served."""

    content: bytes
    compressed: bytes | None
    """The content under gzip; None where that would save nothing."""
    media_type: str
    tag: str
    """Its strong entity tag."""
    lasting: bool
    """Whether its name changes with its content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the page's first HTML names."""

    script: str
    styles: tuple[str, ...]
    preloads: tuple[str, ...]
    fonts: tuple[str, ...]


@cache
def files() -> Mapping[str, File]:
    """Every file by its name."""
    found = {path.name: _read(path, lasting=False) for path in _PLAIN.iterdir() if path.suffix in _TYPES}
    if _BUILT.is_dir():
        found |= {path.name: _read(path, lasting=True) for path in _BUILT.iterdir() if path.suffix in _TYPES}
    return found


@cache
def entry() -> Entry | None:
    """Where the page begins; None where it was not built."""
    manifest = _BUILT / ".vite" / "manifest.json"
    if not manifest.is_file():
        return None
    chunks = orjson.loads(manifest.read_bytes())
    first = chunks[_ENTRY]
    fonts = tuple(name for name in sorted(first.get("assets", ())) if name.endswith(".woff2") and "-latin-wght" in name)
    return Entry(
        script=first["file"],
        styles=tuple(first.get("css", ())),
        preloads=tuple(chunks[name]["file"] for name in first.get("imports", ())),
        fonts=fonts,
    )


def _read(path: Path, *, lasting: bool) -> File:
    content = path.read_bytes()
    worth = path.suffix in _COMPRESSED and len(content) >= _LEAST_BYTES
    return File(
        content=content,
        compressed=gzip.compress(content, 9, mtime=0) if worth else None,
        media_type=_TYPES[path.suffix],
        tag=f'"{hashlib.sha256(content).hexdigest()[:16]}"',
        lasting=lasting,
    )
