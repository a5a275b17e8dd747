"""Something wrong in the configuration: where it stands, what it is, and what to put there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from core.errors import Invalid

Path = tuple[str | int, ...]
"""Where something stands inside the document: `("policies", 0, "when")`."""


def dotted(path: Path) -> str:
    """`policies[0].when`: how a path is shown."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to mend, or to know about when it is a warning."""

    file: str
    """As named from hub.yaml's folder."""
    line: int
    """From 1; 0 for the file as a whole."""
    setting: str = ""
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        named = f"{self.setting}: " if self.setting else ""
        return f"{place}: {named}{self.message}" + (f" → {self.remedy}" if self.remedy else "")


class ConfigInvalid(Invalid):
    """The configuration cannot be used: all that is wrong with it, in the order in which it stands there."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.file, problem.line)))
        lines: list[str] = [str(problem) for problem in self.problems]
        data: dict[str, Any] = {"problems": lines}
        super().__init__("bad_config", "\n".join(lines), **data)
