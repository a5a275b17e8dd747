"""docs/openid.md: its configuration loads, and each trap on it is owned by a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

from config.loader import load

HERE = Path(__file__).parent
PAGE = (HERE.parent / "docs" / "openid.md").read_text()
TRAPS = PAGE.partition("## Known traps")[2]


def test_the_example_loads(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "hub.yaml").write_text(example)
    loaded = load(tmp_path / "hub.yaml", {"OIDC_CLIENT_SECRET": "a"})
    assert loaded.world.provider is not None and loaded.world.people.by_identity(
        "oidc", "https://id.example.com#248289761001"
    )


def test_every_trap_names_tests_that_exist() -> None:
    rows = [line for line in TRAPS.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) > 15
    for row in rows:
        file = ""
        named = re.findall(r"`(?:(test_\w+\.py))?::(test_\w+)`", row)
        assert named, row
        for given, name in named:
            file = given or file
            assert f"def {name}(" in (HERE / "hub" / "http" / file).read_text(), f"{file}::{name}"
