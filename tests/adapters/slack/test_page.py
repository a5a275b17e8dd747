"""docs/slack.md: each trap on it is owned by a test that exists, and every scope and error is explained."""

from __future__ import annotations

import re
from pathlib import Path

from adapters.slack.manifest import SCOPES, WISHED

HERE = Path(__file__).parent
PAGE = (Path(__file__).parents[3] / "docs" / "slack.md").read_text()
TRAPS = PAGE.partition("## Known traps")[2].partition("\n## ")[0]


def test_every_trap_names_tests_that_exist() -> None:
    rows = [line for line in TRAPS.splitlines() if line.startswith("|") and "`" in line.rpartition("| ")[2]]
    assert len(rows) > 25
    for row in rows:
        file = ""
        named = re.findall(r"`(?:(test_\w+\.py))?::(test_\w+)`", row)
        assert named, row
        for given, name in named:
            file = given or file
            assert f"def {name}(" in (HERE / file).read_text(), f"{file}::{name}"


def test_every_scope_is_explained() -> None:
    for scope in [*SCOPES, *WISHED]:
        assert f"| `{scope}` |" in PAGE
