"""Every test of the HTTP layer may ask for a whole hub behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from house import House, housed


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A running hub."""
    async with housed(tmp_path) as opened:
        yield opened
