"""The digest: what a decision is bound to, and what is compared again before the run (P2)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

from core.audit.canonical import canonical

DOMAIN = b"interlock-digest-v1\x00"
MARKER = "INTERLOCK-DIGEST:"
"""With `compare: line`, the output lines that begin so must stay equal."""


def digest(bound: Mapping[str, Any]) -> str:
    """Hex SHA-256 over the canonical JSON of everything that an approval binds."""
    return hashlib.sha256(DOMAIN + canonical(bound)).hexdigest()


def comparable(preview: Mapping[str, Any], compare: Literal["output", "exit", "line"]) -> Any:
    """The part of a preview's result that must be the same each time."""
    if compare == "exit":
        return preview["exit"]
    if compare == "line":
        return [line for line in str(preview["output"]).splitlines() if line.startswith(MARKER)]
    return [preview["exit"], preview["output"], preview.get("sha256")]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What changed between two bound values: a list of `{field, before, after}`, nested fields with dots."""
    found: list[dict[str, Any]] = []
    for field in sorted({*before, *after}):
        old, new = before.get(field), after.get(field)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found.extend({**inner, "field": f"{field}.{inner['field']}"} for inner in differences(old, new))
        else:
            found.append({"field": field, "before": old, "after": new})
    return found
