"""What pydantic found, in the words of somebody who edits hub.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.problem import Path, Problem
from config.schema import json_schema
from config.source import Source

_TYPES = {
    "string_type": ("must be text", "put it in quotes"),
    "bool_type": ("must be true or false", "write true or false, without quotes"),
    "int_type": ("must be a whole number", ""),
    "list_type": ("must be a list", "write [first, second], or one '- item' a line"),
    "dict_type": ("must be a mapping", "write {key: value}, or one 'key: value' a line, indented"),
    "model_type": ("must be a mapping", "write {key: value}, or one 'key: value' a line, indented"),
}
_BOUNDS = {
    "string_too_short": ("is too short", "min_length"),
    "string_too_long": ("is too long", "max_length"),
    "too_long": ("has too many entries", "max_length"),
    "too_short": ("has too few entries", "min_length"),
    "greater_than_equal": ("is too small", "ge"),
    "less_than_equal": ("is too large", "le"),
}
_FORMS = {
    "email": ("is no mail address", "write it like ana@example.com"),
    "slack": ("is no Slack identity", "write team id/user id, like T0123/U024BE7LH"),
    "oidc": ("is no subject", "write it as the provider does, without spaces"),
    "from": ("is no group of a channel", "write channel:group, like slack:S0123ABCD"),
}


def problems(source: Source, error: ValidationError) -> Iterator[Problem]:
    """Each error once, where it stands in the files."""
    seen: set[Path] = set()
    for detail in error.errors(include_url=False):
        path = _real(source.data, detail["loc"])
        if path not in seen or detail["type"] == "wrong":
            seen.add(path)
            message, remedy = _words(detail, path)
            yield source.problem(path, message, remedy)


def _real(data: Any, loc: Iterable[str | int]) -> Path:
    """The part of `loc` that is in the file: pydantic adds the names of types and `[key]`."""
    path: list[str | int] = []
    steps = list(loc)
    for at, step in enumerate(steps):
        if _holds(data, step):
            data = data[step]
        elif isinstance(data, Mapping) and step != "[key]" and at == len(steps) - 1:
            data = None
        else:
            continue
        path.append(step)
    return tuple(path)


def _holds(data: Any, step: str | int) -> bool:
    if isinstance(data, list):
        return isinstance(step, int) and step < len(data)
    return isinstance(data, Mapping) and step in data


def _words(detail: ErrorDetails, path: Path) -> tuple[str, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "wrong":
        return str(context["message"]), str(context["remedy"])
    if kind == "missing":
        return "is missing", f"add {path[-1]}: …"
    if kind == "extra_forbidden":
        return "is no key here", _suggest(path)
    if kind == "literal_error":
        return f"{_shown(detail['input'])} is not one of {context['expected']}", "use one of them"
    if kind == "string_pattern_mismatch":
        message, remedy = _FORMS.get(str(path[-1]), ("has not the right form", ""))
        return f"{_shown(detail['input'])} {message}", remedy
    if kind in _TYPES:
        message, remedy = _TYPES[kind]
        return f"{message}, and {_shown(detail['input'])} is not", remedy
    if kind in _BOUNDS:
        message, limit = _BOUNDS[kind]
        return message, f"the limit is {context[limit]}"
    return detail["msg"], ""


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping | list):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def _suggest(path: Path) -> str:
    """The likely key, or all that there are."""
    known = _keys(path[:-1])
    close = get_close_matches(str(path[-1]), known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(known)}" if known else "take it out"


def _keys(path: Path) -> list[str]:
    """The keys that may stand at `path`, by the JSON Schema."""
    schema = json_schema()
    node: Mapping[str, Any] = schema
    for step in path:
        node = _inside(schema, node, step)
    return list(_resolved(schema, node).get("properties", {}))


def _inside(schema: Mapping[str, Any], node: Mapping[str, Any], step: str | int) -> Mapping[str, Any]:
    node = _resolved(schema, node)
    if isinstance(step, int):
        return dict(node.get("items", {}))
    below = node.get("properties", {}).get(step) or node.get("additionalProperties")
    if below is None:
        below = next(iter(node.get("patternProperties", {}).values()), {})
    return below if isinstance(below, Mapping) else {}


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """`node` with its reference, or that of its first alternative, followed."""
    for alternative in node.get("anyOf", ()):
        if "$ref" in alternative:
            node = alternative
    reference = node.get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else node
