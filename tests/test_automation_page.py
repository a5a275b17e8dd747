"""docs/automation.md teaches nothing that is not so."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import examples, hold

pytestmark = pytest.mark.anyio

PAGE = "automation.md"


def test_the_page_has_examples() -> None:
    assert len(examples(PAGE)) >= 4


@pytest.mark.parametrize(("config", "said"), examples(PAGE))
async def test_the_example_is_so(config: str, said: str, tmp_path: Path) -> None:
    await hold(config, said, tmp_path)
