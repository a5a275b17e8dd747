"""Writes the TypeScript that is made from the hub's own models: what goes over the wire, and what cannot be seen.

Run it after a model changed: `.venv/bin/python .ci/frames.py`. A test fails while the files differ from what it makes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from adapters.websocket import parse
from core.text import show
from hub import shapes
from hub.contracts import Button, Card, Field, Output, Reply

SOURCE = Path(__file__).resolve().parents[1] / "adapters" / "websocket" / "web" / "src"
HEAD = "// Made by .ci/frames.py from the hub's models. Do not edit; run it instead.\n"
SHAPES: tuple[type, ...] = (
    Button,
    Field,
    Card,
    shapes.Principal,
    shapes.Requirement,
    shapes.Rejections,
    shapes.Decision,
    shapes.Delegate,
    shapes.Holder,
    shapes.Wait,
    shapes.Run,
    shapes.Freeze,
    shapes.Override,
    shapes.Approval,
    shapes.Lease,
    shapes.Ticket,
    shapes.HeldLease,
    shapes.WaitingLease,
    shapes.LeasePicture,
    shapes.Event,
    shapes.Proof,
    shapes.LastFiring,
    shapes.Schedule,
    shapes.Firing,
    shapes.HeldBack,
    shapes.RateLimit,
    shapes.Trigger,
    shapes.Wanted,
    shapes.Refused,
    shapes.Rehearsal,
    shapes.Verb,
    shapes.Param,
    shapes.Action,
    Output,
    Reply,
)
SENT: Mapping[str, type] = {
    "command": parse.CommandFrame,
    "press": parse.PressFrame,
    "show": parse.ShowFrame,
    "subscribe": parse.SubscribeFrame,
    "watch": parse.WatchFrame,
    "unwatch": parse.UnwatchFrame,
    "ping": parse.PingFrame,
}
RECEIVED = """
/** What the page sends. */
export type Sent = {sent};

/** What the hub sends. */
export type Received =
  | ({{ type: "reply"; id: number | string | null }} & Reply)
  | ({{ type: "event" }} & Event)
  | {{ type: "card"; card: Card; approval: Approval }}
  | ({{ type: "output" }} & Output)
  | {{ type: "notice"; text: string }}
  | {{ type: "error"; id: number | string | null; code: string; text: string }}
  | {{ type: "pong" }};
"""
KNOWN: Mapping[tuple[type, str], str] = {(Reply, "approval"): "Approval | null"}
"""What a model leaves open, and the wire does not."""

_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def frames() -> str:
    """`wire/frames.ts`."""
    shapes_made = [_interface(each, always=each not in (Reply,)) for each in SHAPES]
    sent = [_interface(each, type_=name, always=False) for name, each in SENT.items()]
    names = " | ".join(each.__name__ for each in SENT.values())
    return HEAD + "".join(shapes_made + sent) + RECEIVED.format(sent=names)


def _interface(shape: type, *, type_: str | None = None, always: bool = True) -> str:
    """The interface of a model; where it is not `always` whole, members with a default or null may be absent."""
    schema = TypeAdapter(shape).json_schema()
    lines = [] if type_ is None else [f'  type: "{type_}";\n']
    for name, each in schema.get("properties", {}).items():
        told = KNOWN.get((shape, name)) or _type(each)
        lacks = name not in schema["required"]
        absent = lacks and not is_dataclass(shape) if always else lacks or " | null" in told
        lines.append(f"  {name}{'?' if absent else ''}: {told};\n")
    doc = (shape.__doc__ or "").strip().splitlines()[0]
    return f"\n/** {doc} */\nexport interface {shape.__name__} {{\n{''.join(lines)}}}\n"


def _type(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(f'"{each}"' for each in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    match schema.get("type"):
        case "array":
            inner = _type(schema["items"]) if "items" in schema else "unknown"
            return f"({inner})[]" if " | " in inner else f"{inner}[]"
        case "object":
            return "Record<string, unknown>"
        case str(plain):
            return _PLAIN[plain]
    return "unknown"


def invisible() -> str:
    """`text/invisible.ts`: the code points that `core.text.show` writes out, as ranges."""
    lines = "".join(f"  [0x{first:x}, 0x{last:x}],\n" for first, last in _ranges())
    return f"{HEAD}\nexport const RANGES: readonly (readonly [number, number])[] = [\n{lines}];\n"


def _ranges() -> Iterator[tuple[int, int]]:
    first: int | None = None
    for code in range(0x110001):
        hidden = code <= 0x10FFFF and show(chr(code)) != chr(code)
        if hidden and first is None:
            first = code
        elif not hidden and first is not None:
            yield first, code - 1
            first = None


FILES = {"wire/frames.ts": frames, "text/invisible.ts": invisible}


def main() -> int:
    """Write every file; the exit code."""
    for name, made in FILES.items():
        (SOURCE / name).write_text(made())
    return 0


if __name__ == "__main__":
    sys.exit(main())
