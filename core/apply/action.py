"""What an action is: its parameters, its commands, the resources it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.policy.policy import Requirement


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One typed parameter. `integer` and `number` are bounded by minimum/maximum, `string` by max_length."""

    name: str
    type: Literal["string", "integer", "number", "boolean"] = "string"
    description: str = ""
    pattern: str | None = None
    enum: tuple[Any, ...] | None = None
    default: Any = None
    required: bool = True
    secret: bool = False
    multiline: bool = False
    leading_dash: bool = False
    """Whether a value may begin with `-`, which a command could take for an option."""
    minimum: float | None = None
    maximum: float | None = None
    max_length: int = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec:
    """A command as an argument list with `{param}` placeholders; never a shell line."""

    argv: tuple[str, ...]
    timeout_seconds: float = 300.0
    env: Mapping[str, str] = field(default_factory=dict)
    """Extra environment, values as hub.yaml writes them (`${env:NAME}` is resolved at the start, never stored)."""
    secrets: Literal["env", "stdin"] = "env"
    run_as: str | None = None
    cwd: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSpec:
    """One HTTP call with `{param}` placeholders in path, query, header and body values; redirects are not followed."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    timeout_seconds: float = 60.0
    allow_private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """Work for an agent that has all of the labels; lost when it is not heard of for `heartbeat_seconds`."""

    labels: tuple[str, ...] = ()
    timeout_seconds: float = 3600.0
    heartbeat_seconds: float = 60.0
    priority: int = 0
    tries: int = 3
    """How often it is given out, where the action is `retry_safe`."""


Operation = CommandSpec | HttpSpec
"""One step that an executor can carry out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """How the effect is shown before it is approved, and which part of the output must stay equal."""

    operation: Operation
    compare: Literal["output", "exit", "line"] = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A kind of operation that the configuration defines."""

    name: str
    title: str
    """A template over the parameters: `Deploy {service} to {env}`."""
    description: str = ""
    params: tuple[Param, ...] = ()
    resources: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    validate: tuple[Operation, ...] = ()
    preview: Preview | None = None
    apply: Operation | AgentSpec
    rollback: Operation | None = None
    rollback_preview: Operation | None = None
    """Shows with the request what a rollback would do; free of side effects."""
    stash: Operation | None = None
    """Says right before the apply what a rollback must know; free of side effects."""
    reviewers: tuple[Requirement, ...] = ()
    """Seats that are added to whatever policy is in force."""
    start: Literal["auto", "manual"] = "auto"
    visible_to: frozenset[str] = frozenset()
    """Groups that may see and request it; empty means everybody known."""
    retry_safe: bool = False
    hold_seconds: float = 0.0
    on_unknown: Literal["keep", "release"] = "keep"
    canonical: str = ""
    """Canonical JSON of the definition as configured, secrets by reference: what the digest binds."""
