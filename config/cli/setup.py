"""`init`, `check`, `schema`, `reload`, `migrate`, `doctor`, `backup`, `restore`: keeping a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from config.cli.exits import Exit, Failure
from config.cli.options import AsJson, ConfigPath, DataPath, settings
from config.cli.output import answer, progress


def write_first(folder: Path) -> list[Path]:
    """The first configuration, with the person who is logged in as ana."""
    import getpass

    from config.init import write_sample

    try:
        user: str | None = getpass.getuser()
    except (KeyError, OSError):
        user = None
    written = write_sample(folder, user=user)
    progress(f"wrote {', '.join(str(each.relative_to(folder)) for each in written)}")
    return written


def init(
    folder: Annotated[Path, typer.Argument(help="Where to.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write a first hub.yaml and ops/: a configuration that teaches, and an action that really runs."""
    written = write_first(folder)
    answer("Look at hub.yaml, then: interlock up", {"written": [str(each) for each in written]}, as_json=as_json)


def check(
    file: Annotated[Path | None, typer.Argument(help="hub.yaml; INTERLOCK_CONFIG.", show_default=False)] = None,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Say whether hub.yaml is valid, and what is wrong with it: file, line, remedy."""
    from config.hub import read_config
    from config.problem import ConfigInvalid

    chosen = settings(config=file or config)
    try:
        loaded = read_config(chosen)
    except ConfigInvalid as invalid:
        problems = [str(each) for each in invalid.problems]
        answer("\n".join(problems), {"ok": False, "problems": problems}, as_json=as_json)
        progress(f"{len(problems)} problems in {chosen.config}")
        raise typer.Exit(Exit.PROBLEM) from None
    warnings = [str(each) for each in loaded.warnings]
    world = loaded.world
    told = f"{chosen.config} is valid: {len(world.actions)} actions, {len(world.policies)} policies"
    answer(
        "\n".join([told, *(f"warning: {each}" for each in warnings)]),
        {"ok": True, "digest": world.digest, "warnings": warnings},
        as_json=as_json,
    )


def schema(
    markdown: Annotated[bool, typer.Option("--markdown", help="A page to read, docs/hub-yaml.md, instead.")] = False,
) -> None:
    """Print the JSON Schema of hub.yaml, for editors."""
    from config.reference import reference
    from config.schema import json_schema

    if markdown:
        answer(reference().rstrip("\n"), {}, as_json=False)
    else:
        answer("", json_schema(), as_json=True)


def reload(data: DataPath = None, as_json: AsJson = False) -> None:
    """Put the newest hub.yaml into force, or say why the old one stays."""
    from config.cli.client import Client

    with Client(settings(data=data)) as client:
        reply = client.post("/v1/reload")
    problems = reply.get("problems") or []
    if problems:
        raise Failure("bad_config", "the old configuration stays:\n" + "\n".join(problems), data=reply)
    answer("the newest configuration is in force", reply, as_json=as_json)


def migrate(data: DataPath = None, as_json: AsJson = False) -> None:
    """Bring the database's tables to this version; `up` does it too."""
    from config.datadir import hold
    from core.store.migrate import HEAD, is_current
    from core.store.migrate import migrate as bring

    chosen = settings(data=data)
    with hold(chosen.data):
        before = is_current(chosen.database)
        bring(chosen.database)
    told = f"the tables are those of revision {HEAD}" + (" already" if before else " now")
    answer(told, {"revision": HEAD, "changed": not before}, as_json=as_json)


def doctor(config: ConfigPath = None, data: DataPath = None, as_json: AsJson = False) -> None:
    """Look at everything that could be wrong, and say what to do; exit 1 when something is."""
    from config.doctor import examine

    findings = examine(settings(config=config, data=data))
    worst = max((each.level for each in findings), default="ok", key=("ok", "warn", "fail").index)
    lines = [each.line for each in findings]
    answer("\n".join(lines), {"worst": worst, "findings": [each.to_json() for each in findings]}, as_json=as_json)
    if worst == "fail":
        raise typer.Exit(Exit.PROBLEM)


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write; it must not exist.")],
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="The hub's own keys too; then it is a secret.")
    ] = False,
    config: ConfigPath = None,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Write a consistent copy of everything, also while the hub runs."""
    from config.backup import write_backup

    manifest = write_backup(settings(config=config, data=data), file, keys=with_keys)
    answer(f"{manifest['size']} log entries in {file}", manifest, as_json=as_json)


def restore(
    file: Annotated[Path, typer.Argument(help="What `backup` wrote.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace the database that is there; it is kept beside.")
    ] = False,
    config: ConfigPath = None,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup back, and record which entries of the log were lost by it."""
    from config.backup import restore_backup

    report = restore_backup(settings(config=config, data=data), file, force=force)
    answer(report["text"], report, as_json=as_json)
