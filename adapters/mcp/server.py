"""The tools behind the protocol, with the official SDK: listed, validated, called, answered.

Model Context Protocol, revisions 2025-03-26 to 2026-07-28 (https://modelcontextprotocol.io/specification).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

import orjson
from mcp.server.lowlevel.server import Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as Listed
from pydantic import ValidationError

from adapters.mcp.tools import TOOLS, Talk, Tool
from hub.contracts import Reply

Call = Callable[[Any, str, dict[str, Any]], Awaitable[CallToolResult]]
"""Carries out the named tool; the first argument is the SDK's context of the request."""

_INSTRUCTIONS = (
    "Interlock runs risky operations once people have approved them. Ask with `request`, then `wait`. You cannot "
    "approve anything, and an approved request is not a completed one. What you write in `reason` is shown as your claim."
)


def server(call: Call) -> Server[Any]:
    """A server with every tool, each carried out by `call`."""

    async def list_tools(context: Any, params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[_listed(tool) for tool in TOOLS.values()])

    async def call_tool(context: Any, params: CallToolRequestParams) -> CallToolResult:
        return await call(context, params.name, params.arguments or {})

    return Server(
        "interlock",
        version=version("interlock-hub"),
        title="Interlock",
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def carry_out(talk: Talk, name: str, arguments: dict[str, Any]) -> CallToolResult:
    """What the tool answers; a refusal and unreadable arguments are answers too."""
    tool = TOOLS.get(name)
    if tool is None:
        return refused("unknown_tool", f"there is no tool {name[:60]!r}; there are {', '.join(TOOLS)}")
    try:
        given = tool.arguments.model_validate(arguments)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "arguments"
        return refused("usage", f"{where}: {first['msg']}")
    return answered(await tool.call(talk, given))


def answered(reply: Reply) -> CallToolResult:
    """A reply of the hub as a tool's result: words for the model, and the same as data."""
    data = {name: value for name, value in reply.as_json().items() if name not in ("card", "repeated")}
    if reply.approval is not None:
        data["state"] = reply.approval["state"]
    plain = orjson.loads(orjson.dumps(data, default=str))
    return CallToolResult(
        content=[TextContent(type="text", text=_words(reply))], structured_content=plain, is_error=not reply.ok
    )


def refused(code: str, text: str) -> CallToolResult:
    """A refusal as a tool's result."""
    return answered(Reply(ok=False, code=code, text=text))


def _words(reply: Reply) -> str:
    lines = [reply.text if reply.ok else f"Refused ({reply.code}): {reply.text}"]
    approval = reply.approval
    if approval is not None:
        lines.append(f"State: {approval['state']}")
        run = approval.get("run") or {}
        if run.get("output_tail"):
            lines.append(f"Output:\n{run['output_tail']}")
    return "\n".join(lines)


def _listed(tool: Tool) -> Listed:
    schema = tool.arguments.model_json_schema()
    schema.pop("description", None)
    hints = ToolAnnotations(read_only_hint=tool.reads, destructive_hint=False, open_world_hint=False)
    return Listed(name=tool.name, description=tool.description, input_schema=schema, annotations=hints)
