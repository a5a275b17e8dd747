"""The terms of a grant: what "the same" is. Pure.

Everything that an approval binds, but for which approval and revision it is, and of the preview only what must stay
equal (`preview.compare`). Action, parameters, commands, files, resources, policy and requester are all among them, so a
request that differs in any of them is another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from core.approvals.digest import comparable
from core.audit.canonical import canonical

DOMAIN = b"interlock-terms-v1\x00"
_OF_ONE = ("approval", "revision")


def terms(bound: Mapping[str, Any]) -> dict[str, Any]:
    """The terms of a bound value."""
    same = {key: value for key, value in bound.items() if key not in _OF_ONE}
    preview = bound.get("preview")
    if preview is not None:
        how = {key: preview[key] for key in ("command", "http") if key in preview}
        same["preview"] = {**how, "same": comparable(preview, _compare(bound))}
    return same


def terms_digest(bound: Mapping[str, Any]) -> str:
    """Hex SHA-256 that names the terms; two requests have the same exactly when they ask for the same."""
    return hashlib.sha256(DOMAIN + canonical(terms(bound))).hexdigest()


def _compare(bound: Mapping[str, Any]) -> Any:
    """What of the preview the action's definition compares."""
    definition = orjson.loads(bound["definition"])
    return (definition.get("preview") or {}).get("compare", "output")
