"""docs/hub-yaml.md: every key of hub.yaml with its type, its default and what it means, made from the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from config.schema import json_schema

_HEAD = """\
# hub.yaml, key by key

Made from the models by `interlock schema --markdown`; a test keeps it so. How the file is written, what its parts are
for and a whole example are in [configuration.md](configuration.md); what approvals can do is in
[approvals.md](approvals.md).
"""


def reference() -> str:
    """The page, as Markdown."""
    schema = json_schema()
    lines = [_HEAD, *_section("The top level", schema), *_definitions(schema)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _definitions(schema: Mapping[str, Any]) -> Iterator[str]:
    """The sections in the order in which the file leads to them."""
    seen: set[str] = set()
    todo = list(_leads_to(schema))
    while todo:
        name = todo.pop(0)
        if name not in seen:
            seen.add(name)
            node = schema["$defs"][name]
            yield from _section(name, node)
            todo[:0] = _leads_to(node)


def _leads_to(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if "$ref" in node:
            yield str(node["$ref"]).rpartition("/")[2]
        for key, each in node.items():
            if key != "$defs":
                yield from _leads_to(each)
    elif isinstance(node, list):
        for each in node:
            yield from _leads_to(each)


def _section(name: str, node: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {name}\n"
    if node.get("description"):
        yield f"{node['description']}\n"
    yield "| key | value | default | |"
    yield "|---|---|---|---|"
    required = set(node.get("required", ()))
    for key, each in node["properties"].items():
        default = "required" if key in required else _default(each)
        yield f"| `{key}` | {_type(each)} | {default} | {_cell(str(each['description']))} |"
    yield ""


def _type(node: Mapping[str, Any]) -> str:
    """What may stand there, in words."""
    if "$ref" in node:
        name = str(node["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in node:
        types = dict.fromkeys(_type(each) for each in node["anyOf"] if each.get("type") != "null")
        if "number" in types:
            types.pop("whole number", None)
        return " or ".join(types)
    if "enum" in node:
        return ", ".join(f"`{each}`" for each in node["enum"])
    if "const" in node:
        return f"`{node['const']}`"
    if _is_duration(node):
        return "duration"
    match node.get("type"):
        case "array":
            return f"list of {_type(node['items'])}"
        case "object":
            return f"name → {_type(_entry(node))}"
        case "integer":
            return f"whole number{_bounds(node)}"
        case "number":
            return "number"
        case "string":
            return "text"
        case "boolean":
            return "`true` or `false`"
    return "any value"


def _entry(node: Mapping[str, Any]) -> Mapping[str, Any]:
    given: Any = node.get("additionalProperties") or next(iter(node.get("patternProperties", {}).values()), {})
    return given if isinstance(given, Mapping) else {}


def _bounds(node: Mapping[str, Any]) -> str:
    least, most = node.get("minimum"), node.get("maximum")
    return f", {least} to {most}" if least is not None and most is not None else ""


def _default(node: Mapping[str, Any]) -> str:
    default = node.get("default")
    return "" if default in (None, [], {}, "") else f"`{_cell(_plain(default))}`"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _is_duration(node: Mapping[str, Any]) -> bool:
    return node.get("type") == ["string", "number"]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
