"""JSON in text columns: written compactly with sorted keys, so that equal values are equal text."""

from __future__ import annotations

from typing import Any

import orjson


def dump(value: Any) -> str:
    """The text of a JSON value."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def load(text: str | None) -> Any:
    """The value of a text that `dump` wrote; None for a column without one."""
    return None if text is None else orjson.loads(text)
