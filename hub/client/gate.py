"""`@gate("deploy")`: a function that runs once people have agreed to this very call."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What to ask for before a function is called."""

    action: str
    reason: str | None = None
    """Why, with `{name}` for the function's arguments."""
    timeout: float | None = None
    """Seconds to wait for people; then the request is taken back and TimedOut is raised."""
    params: Callable[..., Mapping[str, Any]] | None = None
    """Called as the function is, gives the request's parameters; without it they are the function's arguments."""

    def asked(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], str | None]:
        """The parameters and the reason of one call. Raises TypeError for arguments that the function does not take."""
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        named = bound.arguments
        params = dict(self.params(*args, **kwargs)) if self.params is not None else dict(named)
        return params, self.reason.format_map(named) if self.reason is not None else None


def sync_gate(
    gate: Gate, carry_out: Callable[[Mapping[str, Any], str | None], object]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The decorator of functions that block."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.iscoroutinefunction(function):
            raise TypeError(f"{function.__name__} is asynchronous; take the gate of an AsyncClient")

        @functools.wraps(function)
        def gated(*args: P.args, **kwargs: P.kwargs) -> R:
            params, reason = gate.asked(function, args, kwargs)
            carry_out(params, reason)
            return function(*args, **kwargs)

        return gated

    return decorate


def async_gate(
    gate: Gate, carry_out: Callable[[Mapping[str, Any], str | None], Awaitable[object]]
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """The decorator of asynchronous functions."""

    def decorate(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        @functools.wraps(function)
        async def gated(*args: P.args, **kwargs: P.kwargs) -> R:
            params, reason = gate.asked(function, args, kwargs)
            await carry_out(params, reason)
            return await function(*args, **kwargs)

        return gated

    return decorate
