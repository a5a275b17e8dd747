"""What differs between two revisions of a request, in the terms of those who decide. Pure.

Two bound values are compared field by field: parameters, commands, resources, files, and the definitions of action
and policy down to the key that changed. What the preview says is shown as a unified diff instead. A secret is only
said to have been given again. Everything is bounded, and what was left out is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import unified_diff
from typing import Any

import orjson

from core.approvals.digest import differences
from core.text import show

MOST_CHANGES = 50
MOST_LINES = 200
MOST_LINE = 400
MOST_COMPARED = 2_000
"""Lines of a preview that are compared; a diff costs the square of them."""

_APART = frozenset({"approval", "revision", "requester", "secrets", "preview"})


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`[{field, before, after}]`, at most MOST_CHANGES and one that counts the rest; nested fields with dots."""
    found = list(_all(before, after))
    if len(found) <= MOST_CHANGES:
        return found
    return [*found[:MOST_CHANGES], {"field": "…", "before": None, "after": f"{len(found) - MOST_CHANGES} more changes"}]


def _all(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from differences(_readable(before), _readable(after))
    old, new = before.get("secrets") or {}, after.get("secrets") or {}
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield {"field": f"params.{name}", "before": "a secret", "after": "a secret, given again"}
    if _exit(before) != _exit(after):
        yield {"field": "preview.exit", "before": _exit(before), "after": _exit(after)}


def _readable(bound: Mapping[str, Any]) -> dict[str, Any]:
    """The parts that are compared field by field, with definitions as what they say instead of as one line."""
    shown: dict[str, Any] = {key: value for key, value in bound.items() if key not in _APART}
    if "definition" in shown:
        shown["definition"] = _parsed(shown["definition"])
    policy = shown.get("policy")
    if isinstance(policy, Mapping) and "definition" in policy:
        shown["policy"] = {**policy, "definition": _parsed(policy["definition"])}
    return shown


def _parsed(text: Any) -> Any:
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, TypeError):
        return text


def _exit(bound: Mapping[str, Any]) -> Any:
    preview = bound.get("preview")
    return preview.get("exit") if isinstance(preview, Mapping) else None


def preview_diff(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str | None:
    """A unified diff of what two previews said, escaped and bounded; None when they said the same."""
    old, new = _lines(before), _lines(after)
    if old == new:
        return None
    cut = max(len(old), len(new)) - MOST_COMPARED
    lines = list(unified_diff(old[:MOST_COMPARED], new[:MOST_COMPARED], "before", "after", n=2, lineterm=""))
    told = [_line(each) for each in lines[:MOST_LINES]]
    if len(lines) > MOST_LINES:
        told.append(f"⟨{len(lines) - MOST_LINES:,} more lines of the difference are not shown⟩")
    if cut > 0:
        told.append(f"⟨the last {cut:,} lines were not compared; the preview shows all of it⟩")
    return "\n".join(told)


def _lines(preview: Mapping[str, Any] | None) -> list[str]:
    return str((preview or {}).get("output") or "").split("\n")


def _line(line: str) -> str:
    if len(line) > MOST_LINE:
        return f"{show(line[:MOST_LINE])}⟨{len(line) - MOST_LINE:,} more characters⟩"
    return show(line)
