"""What actions say: templates that can be filled, programs that exist, secrets that stay out of arguments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as File

from config.action_schema import Action, Operation
from config.problem import Path, Problem
from config.schema import Hub
from config.source import Source
from core.apply.fingerprint import resolve_executable, resolve_file
from core.apply.template import placeholders
from core.errors import Refusal


def check_actions(hub: Hub, source: Source) -> Iterator[Problem]:
    """Problems with the actions themselves, and with hooks that ask for them."""
    for name, action in hub.actions.items():
        yield from _texts(source, ("actions", name), action)
        for path, operation in operations(("actions", name), action):
            yield from _operation(source, path, operation, action)
        for at, file in enumerate(action.files):
            try:
                resolve_file(source.root, file)
            except Refusal as refusal:
                yield source.problem(("actions", name, "files", at), refusal.message, _below(source.root))
    needed = hub.leases.break_needs
    if needed is not None and "lease" not in (hub.actions[needed].params if needed in hub.actions else ()):
        yield source.problem(
            ("leases", "break_needs"),
            f"{needed} is no action with a parameter lease",
            f"add {needed} to actions, with params: {{lease: {{type: string, pattern: '^L[0-9]+$'}}}}",
        )
    for name, hook in hub.hooks.items():
        yield from _hook(hub, source, ("hooks", name), hook.action, list(hook.params))


def missing_programs(hub: Hub, source: Source) -> Iterator[Problem]:
    """Programs named without a folder that this machine lacks; another that runs them may have them."""
    for name, action in hub.actions.items():
        for path, operation in operations(("actions", name), action):
            if operation.command and "/" not in operation.command[0]:
                try:
                    resolve_executable(source.root, operation.command[0])
                except Refusal as refusal:
                    yield source.problem((*path, "command", 0), refusal.message, "install it, or give its path")


def operations(path: Path, action: Action) -> Iterator[tuple[Path, Operation]]:
    """Every step of `action`, with its path."""
    for at, step in enumerate(action.validation):
        yield (*path, "validate", at), step
    for key in ("preview", "stash", "apply", "rollback"):
        step = getattr(action, key)
        if step is not None:
            yield (*path, key), step
    if action.rollback is not None and action.rollback.preview is not None:
        yield (*path, "rollback", "preview"), action.rollback.preview


def _texts(source: Source, path: Path, action: Action) -> Iterator[Problem]:
    """Placeholders in the title and the resources: declared, no secret, and always with a value."""
    yield from _placeholders(source, (*path, "title"), action.title, action)
    for at, resource in enumerate(action.resources):
        yield from _placeholders(source, (*path, "resources", at), resource, action)
        kind, colon, name = resource.partition(":")
        if not (kind and colon and name) or "{" in kind:
            yield source.problem(
                (*path, "resources", at), f"{resource!r} is no resource", "write kind:name, like env:{env}"
            )


def _operation(source: Source, path: Path, operation: Operation, action: Action) -> Iterator[Problem]:
    if operation.http is not None:
        yield from _http(source, (*path, "http"), operation, action)
        return
    if operation.command is None:  # an agent's
        for name, param in action.params.items():
            if param.secret:
                yield source.problem(path, f"{name} is secret, and no agent is told secrets", "use a command")
        return
    command = operation.command or []
    for at, argument in enumerate(command):
        alone = argument.startswith("{") and not argument.startswith("{{")
        yield from _placeholders(source, (*path, "command", at), argument, action, may_lack=not alone)
    if "/" in command[0]:
        try:
            resolve_executable(source.root, command[0])
        except Refusal as refusal:
            yield source.problem((*path, "command", 0), refusal.message, _below(source.root))
    if operation.cwd is not None:
        try:
            resolve_file(source.root, operation.cwd)
        except Refusal as refusal:
            yield source.problem((*path, "cwd"), refusal.message, _below(source.root))
    for name in operation.env:
        if name.startswith("INTERLOCK_"):
            yield source.problem(
                (*path, "env", name), "names that begin with INTERLOCK_ are the hub's own", "rename it"
            )
    if operation.secrets != "env" and path[-1] not in ("apply", "rollback"):
        yield source.problem((*path, "secrets"), "a preview or a validation never gets secrets", "take it out")


def _http(source: Source, path: Path, operation: Operation, action: Action) -> Iterator[Problem]:
    http = operation.http
    if http is None:
        return
    yield from _placeholders(source, (*path, "url"), http.url, action)
    for name, value in http.headers.items():
        yield from _placeholders(source, (*path, "headers", name), value, action)
    for inner, text in source.strings((*path, "body"), http.body) if http.body is not None else ():
        yield from _placeholders(source, inner, text, action)
    for name, param in action.params.items():
        if param.secret and path[-2] in ("apply", "rollback"):
            yield source.problem(path, f"{name} is secret, and only a command can receive it", "use a command")


def _placeholders(
    source: Source, path: Path, template: str, action: Action, *, may_lack: bool = False
) -> Iterator[Problem]:
    for name in placeholders(template):
        param = action.params.get(name)
        if param is None:
            declared = ", ".join(action.params) or "none"
            yield source.problem(
                path, f"no parameter is named {name}", f"declare it under params; there are {declared}"
            )
        elif param.secret:
            remedy = f"the command finds it as INTERLOCK_SECRET_{name.upper()}"
            yield source.problem(path, f"{name} is secret and would be seen here", remedy)
        elif not param.is_required and param.default is None and not may_lack:
            yield source.problem(
                path,
                f"{name} may be missing, and then nothing could stand here",
                f"give it a default, or write --{name}={{{name}}}",
            )


def _hook(hub: Hub, source: Source, path: Path, action: str | None, given: list[str]) -> Iterator[Problem]:
    if action is None:
        return
    target = hub.actions.get(action)
    if target is None:
        known = ", ".join(hub.actions) or "none"
        yield source.problem((*path, "action"), f"there is no action {action}", f"there are {known}")
        return
    for name in given:
        if name not in target.params:
            known = ", ".join(target.params) or "none"
            yield source.problem((*path, "params", name), f"{action} has no parameter {name}", f"there are {known}")
    lacking = [name for name, param in target.params.items() if param.is_required and name not in given]
    if lacking:
        yield source.problem((*path, "params"), f"{action} needs {', '.join(lacking)}", "add an expression for each")


def _below(root: File) -> str:
    return f"relative paths begin at {root} and stay below it"
