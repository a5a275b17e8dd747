"""Lists: `{items, next}`, where `next` is the cursor of the following page, or null at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=64, description="The `next` of the page before.")]


def page(found: Sequence[T], limit: int, cursor_of: Callable[[T], str], item: Callable[[T], Any]) -> dict[str, Any]:
    """The page of `found`, which was read with one more than `limit` to know whether another follows."""
    items = found[:limit]
    return {"items": [item(each) for each in items], "next": cursor_of(items[-1]) if len(found) > limit else None}
