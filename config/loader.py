"""From a file to a world: read, checked whole, built; or everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from config import translate
from config.build import build
from config.check import check
from config.problem import ConfigInvalid, Problem
from config.references import check_references
from config.schema import Hub
from config.secrets import Secrets
from config.source import Source, read
from core.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A valid configuration, and what its author should still know."""

    world: World
    warnings: tuple[Problem, ...] = ()
    files: tuple[Path, ...] = ()
    """Every file that was read."""
    secrets: Secrets
    """Where references of commands lead, when they run."""


def load(path: Path, environ: Mapping[str, str], adapters: Collection[str] | None = None) -> Loaded:
    """The configuration of `path`. `adapters` are the names that a channel may use (None: not checked).

    Raises ConfigInvalid (`bad_config`) with every problem, by file and line.
    """
    source = read(path)
    problems = list(source.problems)
    warnings: list[Problem] = []
    secrets = Secrets(environ, source.root)
    for mild, problem in check_references(source, secrets):
        (warnings if mild else problems).append(problem)
    hub = _validated(source, problems)
    if hub is not None:
        for mild, problem in check(hub, source, adapters):
            (warnings if mild else problems).append(problem)
    if problems or hub is None:
        raise ConfigInvalid(problems)
    return Loaded(
        world=build(hub, source, secrets), warnings=tuple(warnings), files=tuple(source.files), secrets=secrets
    )


def _validated(source: Source, problems: list[Problem]) -> Hub | None:
    """The document, or None after noting what does not fit; a section left empty counts as not given."""
    if not source.data and problems:
        return None
    try:
        return Hub.model_validate({key: value for key, value in source.data.items() if value is not None})
    except ValidationError as error:
        known = {(each.file, each.line, each.setting) for each in problems}
        found = translate.problems(source, error)
        problems.extend(each for each in found if (each.file, each.line, each.setting) not in known)
        return None
