"""docs/promises.md names tests that exist, and every promise has one."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "promises.md").read_text()


def test_every_test_that_the_page_names_exists() -> None:
    last = ""
    named = re.findall(r"`((?:tests/|…)[^`]*)`", PAGE)
    assert len(named) > 12
    for name in named:
        path, _, function = name.partition("::")
        last = path = last if path == "…" else path
        text = (ROOT / path).read_text()
        assert not function or f"def {function}(" in text, name


def test_every_promise_has_a_row() -> None:
    assert re.findall(r"^\| (P\d+) \|", PAGE, re.M) == [f"P{number}" for number in range(1, 13)]
