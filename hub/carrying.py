"""Carrying out one operation, command or HTTP call alike: a look (validation, preview) or the act itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.apply import environment, process
from core.apply.action import CommandSpec, HttpSpec, Operation
from core.apply.cgroup import Cgroups
from core.apply.deadline import Deadline
from core.apply.environment import Remembering, RunMarks
from core.apply.exit import Exit
from core.apply.identity import Identity
from core.apply.prepared import prepare
from core.apply.template import HttpCall, Resolve, render_http
from core.apply.watch import Stop
from core.approvals.proposal import rendered
from core.errors import TooLarge

if TYPE_CHECKING:
    from core.apply.http import HttpExit

PREVIEW_LIMIT = 262_144
"""Bytes that a preview or validation may print; past that the request fails, since nobody could be shown all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an operation ended. `unknown` means that nobody can say whether it had its effect."""

    outcome: Literal["completed", "failed", "unknown"]
    exit_code: int | None
    output: str
    dropped: int
    why: str | None
    sha256: str = ""
    """Of the whole output's bytes, also of what is no text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What an apply or a rollback has and a look never gets."""

    marks: RunMarks
    secrets: Mapping[str, str]
    stop: Stop
    deadline: Deadline
    on_started: Callable[[Identity], Awaitable[None]]
    on_output: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """Where operations run: the folder of hub.yaml, the secrets of the environment, and cgroups where there are any."""

    root: Path
    resolve: Resolve
    cgroups: Cgroups | None = None

    async def look(self, operation: Operation, values: Mapping[str, Any]) -> Result:
        """A validation or preview: no secrets, no token, no environment of apply. Raises a Refusal if it cannot start.

        Raises TooLarge `preview_too_large` for more output than can be shown.
        """
        if isinstance(operation, CommandSpec):
            spec = rendered(operation, values)
            assert isinstance(spec, CommandSpec)
            env = environment.look(spec, self.resolve)
            command = await asyncio.to_thread(
                prepare, spec, root=self.root, environment=env, output_limit=PREVIEW_LIMIT
            )
            end = await process.run(command, on_started=_nothing, stop=asyncio.Event(), cgroups=self.cgroups)
            result = _of_exit(end)
        else:
            from core.apply import http  # only actions that call out pay for the HTTP client

            call, redact = self._http(operation, values)
            answer = await http.call(call, operation, stop=asyncio.Event(), redact=redact, output_limit=PREVIEW_LIMIT)
            result = _of_http(answer)
        if result.dropped:
            raise TooLarge(
                "preview_too_large",
                f"it printed more than {PREVIEW_LIMIT // 1024} KB, which nobody could be shown whole",
            )
        return result

    async def act(self, operation: Operation, values: Mapping[str, Any], act: Act) -> Result:
        """The operation itself, for a run that exists. Raises a Refusal when nothing was started."""
        if isinstance(operation, HttpSpec):
            from core.apply import http

            call, redact = self._http(operation, values)
            redact = (*redact, *act.secrets.values())
            return _of_http(
                await http.call(
                    call,
                    operation,
                    stop=act.stop,
                    deadline=act.deadline,
                    marks=act.marks,
                    redact=redact,
                    on_output=act.on_output,
                )
            )
        spec = rendered(operation, values)
        assert isinstance(spec, CommandSpec)
        env = environment.act(spec, self.resolve, marks=act.marks, secrets=act.secrets)
        command = await asyncio.to_thread(prepare, spec, root=self.root, environment=env)
        return _of_exit(
            await process.run(
                command,
                on_started=act.on_started,
                stop=act.stop,
                on_output=act.on_output,
                deadline=act.deadline,
                cgroups=self.cgroups,
            )
        )

    def _http(self, spec: HttpSpec, values: Mapping[str, Any]) -> tuple[HttpCall, tuple[str, ...]]:
        resolve = Remembering(self.resolve)
        return render_http(spec, values, resolve), tuple(resolve.given)


async def _nothing(identity: Identity) -> None:
    """A look leaves no process group to recover: its keeper dies with the hub."""


def _of_exit(end: Exit) -> Result:
    base = Result(
        outcome="unknown",
        exit_code=end.exit_code,
        output=end.output,
        dropped=end.truncated_bytes,
        why=None,
        sha256=end.output_sha256,
    )
    words = {
        "exited": f"exit status {end.exit_code}",
        "signalled": f"ended by signal {end.signal}",
        "timed_out": "timed out",
        "stopped": "stopped",
        "lease_lost": "its lease was lost",
        "lost": "its keeper died",
    }[end.status]
    if not end.wholly_reaped:
        return replace(base, why=f"{words}; not everything of it could be killed")
    if end.status == "exited" and end.exit_code == 0:
        return replace(base, outcome="completed")
    if end.status in ("exited", "signalled", "stopped"):
        return replace(base, outcome="failed", why=words)
    return replace(base, why=words)


def _of_http(answer: HttpExit) -> Result:
    return Result(
        outcome=answer.outcome,
        exit_code=answer.status_code,
        output=answer.output,
        dropped=answer.truncated_bytes,
        why=None if answer.outcome == "completed" else answer.reason,
        sha256=answer.output_sha256,
    )
