"""Drives docs/examples/openai_agents_sdk.py with a model that follows a script, so that no model has to be paid for."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from agents import ModelResponse, Usage, set_tracing_disabled
from agents.models.interface import Model
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "examples"))
import openai_agents_sdk as example

GOES_ON = {"SUBMITTED", "REVIEWING", "APPROVED", "APPLYING"}


class Scripted(Model):
    """Looks, asks for one thing, waits until it ended, and says how."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def get_response(
        self, system_instructions: Any, input: Any, model_settings: Any, tools: Any, *args: Any, **more: Any
    ) -> ModelResponse:
        offered = {tool.name for tool in tools}
        assert {"actions", "request", "wait"} <= offered
        assert not offered & {"approve", "reject", "decide"}
        last = input[-1] if isinstance(input, list) else {}
        if not isinstance(last, dict) or last.get("type") != "function_call_output":
            return _call("actions", {})
        said = _read(last["output"])
        if "approval" not in said:
            return _call("request", {"action": "touch", "params": {"name": self._name}, "reason": "the script says so"})
        if said["state"] in GOES_ON:
            return _call("wait", {"id": said["approval"]["id"]})
        return _text(f"{said['approval']['id']} is {said['state']}")

    def stream_response(self, *args: Any, **more: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


def _read(output: Any) -> dict[str, Any]:
    text = output if isinstance(output, str) else output[0]["text"]
    found: dict[str, Any] = json.loads(text)
    return found


def _call(name: str, arguments: dict[str, Any]) -> ModelResponse:
    call = ResponseFunctionToolCall(
        type="function_call", name=name, arguments=json.dumps(arguments), call_id=f"call-{name}"
    )
    return ModelResponse(output=[call], usage=Usage(), response_id=None)


def _text(text: str) -> ModelResponse:
    content = [ResponseOutputText(type="output_text", text=text, annotations=[])]
    message = ResponseOutputMessage(id="m1", type="message", role="assistant", status="completed", content=content)
    return ModelResponse(output=[message], usage=Usage(), response_id=None)


if __name__ == "__main__":
    set_tracing_disabled(True)
    print(asyncio.run(example.main("touch it", Scripted(sys.argv[1]))))
