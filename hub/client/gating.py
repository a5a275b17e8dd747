"""`@gate("deploy")` with the hub of INTERLOCK_URL and INTERLOCK_KEY."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hub.client.aclient import AsyncClient
from hub.client.client import Client
from hub.client.gate import Gate, async_gate, sync_gate

F = TypeVar("F", bound=Callable[..., Any])


def gate(
    action: str,
    *,
    reason: str | None = None,
    timeout: float | None = None,
    params: Callable[..., Mapping[str, Any]] | None = None,
) -> Callable[[F], F]:
    """A decorator: each call asks for `action`, and the function, sync or async, runs once that has completed.

    The environment is read at the call. `Client.gate` and `AsyncClient.gate` use a client of your own.
    """
    asked = Gate(action=action, reason=reason, timeout=timeout, params=params)

    def block(params: Mapping[str, Any], reason: str | None) -> None:
        with Client() as client:
            client.carry_out(action, params, reason=reason, timeout=timeout)

    async def wait(params: Mapping[str, Any], reason: str | None) -> None:
        async with AsyncClient() as client:
            await client.carry_out(action, params, reason=reason, timeout=timeout)

    def decorate(function: F) -> F:
        gated: Any = (
            async_gate(asked, wait)(function)
            if inspect.iscoroutinefunction(function)
            else sync_gate(asked, block)(function)
        )
        made: F = gated
        return made

    return decorate
