"""The first configuration: a hub.yaml that teaches, and an action that really runs."""

from __future__ import annotations

import re
from pathlib import Path

from core.errors import Conflict

_TEMPLATES = Path(__file__).parent / "templates"
_OS_USER = re.compile(r"^( +)# os_user: your-login.*$", re.MULTILINE)
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def write_sample(folder: Path, *, user: str | None) -> list[Path]:
    """`folder` holds hub.yaml and ops/, and ana is the login `user` (None or root: nobody is). The files written.

    Raises Conflict (`already_there`) when any of them exists, and then writes nothing.
    """
    names = sorted(file.relative_to(_TEMPLATES) for file in _TEMPLATES.rglob("*") if file.is_file())
    there = [str(name) for name in names if (folder / name).exists() or (folder / name).is_symlink()]
    if there:
        raise Conflict("already_there", f"{', '.join(there)} in {folder}: nothing was written", files=there)
    return [_write(folder / name, _TEMPLATES / name, user) for name in names]


def _write(target: Path, template: Path, user: str | None) -> Path:
    text = template.read_text(encoding="utf-8")
    if template.name == "hub.yaml" and user is not None and user != "root" and _LOGIN.fullmatch(user):
        text = _OS_USER.sub(lambda found: f"{found[1]}os_user: {user!r}".replace("'", '"'), text)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("x", encoding="utf-8") as stream:
        stream.write(text)
    target.chmod(0o755 if text.startswith("#!") else 0o644)
    return target
