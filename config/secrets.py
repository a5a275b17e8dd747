"""References to secrets: `${env:NAME}` and `${file:PATH}`, the only way that a secret enters the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from core.errors import Unavailable

MAX_SECRET = 65_536
"""Bytes of a secret's file."""

_REFERENCE = re.compile(r"\$\{(env|file):([^{}]+)\}")


def has_reference(text: str) -> bool:
    """Whether `text` refers to a secret."""
    return _REFERENCE.search(text) is not None


class Secrets:
    """Where references lead: the environment that the hub was started with, and files."""

    def __init__(self, environ: Mapping[str, str], root: Path) -> None:
        self._environ = environ
        self._root = root
        self._known: set[str] = set()

    def known(self) -> frozenset[str]:
        """Every secret that was looked up so far: what no log may show."""
        return frozenset(self._known)

    def resolve(self, text: str) -> str:
        """`text` with every reference replaced by its secret; what a secret holds is not read again.

        A file's last line break is left out, and a relative path begins at hub.yaml's folder.
        Raises Unavailable (`missing_secret`) naming the reference, for one that leads to nothing.
        """
        return _REFERENCE.sub(lambda found: self.lookup(found[1], found[2]), text)

    def lookup(self, kind: str, name: str) -> str:
        """The secret that `kind` (`env` or `file`) has under `name`; never an empty one. Raises as `resolve` does."""
        value = self._environ.get(name, "") if kind == "env" else self._file(name)
        if value:
            self._known.add(value)
            return value
        missing = f"the environment variable {name} is not set" if kind == "env" else f"the file {name} is empty"
        raise _missing(kind, name, missing)

    def _file(self, name: str) -> str:
        try:
            with (self._root / name).open("rb") as stream:
                data = stream.read(MAX_SECRET + 1)
            text = data.decode()
        except OSError as error:
            raise _missing("file", name, f"the file {name} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise _missing("file", name, f"the file {name} is not UTF-8") from None
        if len(data) > MAX_SECRET:
            raise _missing("file", name, f"the file {name} is larger than 64 KB")
        return text.removesuffix("\n").removesuffix("\r")


def _missing(kind: str, name: str, message: str) -> Unavailable:
    return Unavailable("missing_secret", message, reference=f"${{{kind}:{name}}}")
