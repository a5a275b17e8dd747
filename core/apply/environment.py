"""What a command finds in its environment: a fixed list, what the action names, and for a run its marks and secrets."""

from __future__ import annotations

import json
import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.apply.action import CommandSpec
from core.apply.fingerprint import PATH
from core.apply.template import Resolve
from core.errors import Invalid

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"\$\{(env|file):([^{}]+)\}")
_RESERVED = "INTERLOCK_"


class Remembering:
    """A resolver that keeps what it gave out, so that it can be taken out of the output again."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self.given: list[str] = []

    def __call__(self, kind: str, name: str) -> str:
        self.given.append(self._resolve(kind, name))
        return self.given[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The environment of one command, its standard input, and what must not be shown of either."""

    values: Mapping[str, str] = field(repr=False)
    stdin: bytes | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMarks:
    """What a run tells its command about itself."""

    approval: str
    run: str
    fence: int
    stash: str | None = None
    """For a rollback: what the apply's `stash` said before it ran."""


def look(spec: CommandSpec, resolve: Resolve) -> Environment:
    """The environment of a preview or a validation: nothing of a run, no secret parameter, no fencing token."""
    remembering = Remembering(resolve)
    values = _fixed(spec.run_as) | _named(spec.env, remembering)
    return Environment(values=values, secrets=tuple(remembering.given))


def act(spec: CommandSpec, resolve: Resolve, *, marks: RunMarks, secrets: Mapping[str, Any]) -> Environment:
    """The environment of an apply or a rollback, with its secret parameters in the form that `spec` asks for."""
    remembering = Remembering(resolve)
    values = _fixed(spec.run_as) | _named(spec.env, remembering)
    values |= {
        "INTERLOCK_APPROVAL": marks.approval,
        "INTERLOCK_RUN": marks.run,
        "INTERLOCK_FENCE": str(marks.fence),
    }
    if marks.stash is not None:
        values["INTERLOCK_STASH"] = marks.stash
    texts = {name: _text(value) for name, value in secrets.items()}
    stdin = None
    if spec.secrets == "stdin":
        stdin = json.dumps(dict(secrets), ensure_ascii=False).encode()
    else:
        values |= {f"INTERLOCK_SECRET_{_secret_name(name)}": _checked(name, text) for name, text in texts.items()}
    return Environment(values=values, stdin=stdin, secrets=(*remembering.given, *texts.values()))


def _fixed(run_as: str | None) -> dict[str, str]:
    """The part that is the same for every command of an account."""
    try:
        entry = pwd.getpwnam(run_as) if run_as else pwd.getpwuid(os.geteuid())
        name, home = entry.pw_name, entry.pw_dir
    except KeyError:
        name, home = str(os.geteuid()), "/"
    return {
        "PATH": PATH,
        "HOME": home,
        "USER": name,
        "LOGNAME": name,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def _named(env: Mapping[str, str], resolve: Resolve) -> dict[str, str]:
    """What the action names, with each `${env:NAME}` and `${file:PATH}` replaced."""
    values: dict[str, str] = {}
    for name, text in env.items():
        if not _NAME.fullmatch(name) or name.startswith(_RESERVED):
            raise Invalid("bad_environment", f"{name!r} may not be set for a command", name=name)
        values[name] = _checked(name, _REFERENCE.sub(lambda match: resolve(match[1], match[2]), text))
    return values


def _secret_name(name: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "_", name.upper())


def _checked(name: str, value: str) -> str:
    if "\0" in value:
        raise Invalid("bad_environment", f"the value of {name!r} contains NUL", name=name)
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
