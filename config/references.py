"""Where hub.yaml refers to secrets: only where they may stand, never written out, and never to nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from config.problem import Path, Problem
from config.secrets import Secrets, has_reference
from config.source import Source
from core.errors import Unavailable

_SECRET_KEY = re.compile(r"(?:^|_)(?:secret|token|password|passphrase|api_key|private_key)s?$")
_WRITE = 'write "${env:NAME}" or "${file:PATH}"'


def check_references(source: Source, secrets: Secrets) -> Iterator[tuple[bool, Problem]]:
    """Every problem with secrets, and whether it is only a warning: what a command needs is looked up at its run."""
    for path, text in source.strings():
        if not has_reference(text):
            if "${" in text and _may_refer(path):
                yield False, source.problem(path, f"{text!r} is no reference", _WRITE)
            elif _is_secret(path):
                yield False, source.problem(path, "is a secret written out", _WRITE)
            continue
        if not _may_refer(path):
            yield False, source.problem(path, "a secret cannot be used here", "write the value itself")
            continue
        try:
            secrets.resolve(text)
        except Unavailable as missing:
            yield path[0] == "actions", source.problem(path, missing.message, "set it where the hub is started")


def _may_refer(path: Path) -> bool:
    match path:
        case ("channels", _, key, *_):
            return key != "adapter"
        case ("hooks", _, "secret", *_) | ("audit", "anchors", _) | ("sign_in", "oidc", "client_secret"):
            return True
        case ("actions", _, *rest):
            inner = rest[2:] if rest[:1] == ["validate"] else rest[1:]
            return inner[:1] == ["env"] or inner[:2] in (["http", "headers"], ["http", "body"])
    return False


def _is_secret(path: Path) -> bool:
    """Whether what stands there must be a reference."""
    if path[:1] == ("hooks",):
        return path[2:3] == ("secret",)
    if path == ("sign_in", "oidc", "client_secret"):
        return True
    return path[:1] == ("channels",) and any(isinstance(step, str) and _SECRET_KEY.search(step) for step in path[2:])
