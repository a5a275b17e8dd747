"""What an agent can reach through its tools, and what never."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from adapters.mcp.tools import TOOLS, VERBS
from commands.registry import Registry
from commands.verb import Permission
from hub.contracts import Reply

pytestmark = pytest.mark.anyio

_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "request": {"action": "touch", "reason": "why"},
    "lease": {"resources": ["env:prod"]},
    "heartbeat": {"lock_id": "L1", "token": 1},
    "release": {"lock_id": "L1", "token": 1},
    "report": {"run": "R1", "claim": "c", "outcome": "completed"},
    "check_in": {"acknowledge": ["M1"]},
    **{name: {"id": "A1"} for name in ("wait", "show", "who", "revise", "withdraw", "history")},
}


class Recorder:
    """A hub that says yes to everything and remembers what it was asked."""

    def __init__(self) -> None:
        self.verbs: list[str] = []

    async def act(self, verb: str, args: Mapping[str, Any], *, key: str | None = None) -> Reply:
        self.verbs.append(verb)
        return Reply(
            ok=True, text="", approval={"id": "A1", "state": "DRAFT"}, data={"ticket": {"state": "granted"}, "work": {}}
        )

    async def card(self, approval: str) -> Reply:
        return await self.act("show", {})

    async def watch(self, subject: str, seconds: float, look: Callable[[], Awaitable[tuple[bool, Reply]]]) -> Reply:
        return (await look())[1]


def test_no_tool_reaches_a_verb_that_decides() -> None:
    registry = Registry.installed()
    harmless = {Permission.KNOWN, Permission.REQUEST, Permission.READ, Permission.LEASE}
    for name in VERBS:
        verb = registry.find(name)
        assert verb is not None, name
        assert verb.permission in harmless, f"{name} is for people"
        assert not verb.people_only, name


@pytest.mark.parametrize("name", TOOLS)
async def test_a_tool_reaches_only_the_verbs_that_are_listed(name: str) -> None:
    tool, hub = TOOLS[name], Recorder()
    await tool.call(hub, tool.arguments.model_validate(_ARGUMENTS.get(name, {})))
    assert hub.verbs
    assert set(hub.verbs) <= VERBS


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_says_what_it_is_for_and_refuses_what_it_does_not_know(name: str) -> None:
    tool = TOOLS[name]
    schema = tool.arguments.model_json_schema()
    assert tool.description.endswith(".")
    assert schema["additionalProperties"] is False


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
