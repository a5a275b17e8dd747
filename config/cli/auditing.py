"""`audit verify|export|checkpoint|key`: the log, for whoever does not want to believe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.cli.exits import Exit, Failure
from config.cli.options import AsJson, ConfigPath, DataPath, settings
from config.cli.output import answer, progress

if TYPE_CHECKING:
    from config.settings import Settings

app = typer.Typer(help="Verify, export and sign the log.", no_args_is_help=True)


@app.command()
def verify(
    key: Annotated[
        list[str] | None, typer.Option(help="A verifier key, or the file that holds it; else the hub's own.")
    ] = None,
    checkpoint: Annotated[list[Path] | None, typer.Option(help="Checkpoints kept elsewhere; may be repeated.")] = None,
    export: Annotated[Path | None, typer.Option("--export", help="Verify an export in place of the database.")] = None,
    config: ConfigPath = None,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Check every entry, every checkpoint, and that the tables say what the log says; exit 1 on any tampering."""
    from config.verifying import verify_data, verify_file

    chosen = settings(config=config, data=data)
    if export is not None:
        report = verify_file(chosen, export, keys=key or [], checkpoints=checkpoint or [])
    else:
        report = verify_data(chosen, keys=key or [], checkpoints=checkpoint or [])
    answer("\n".join(report.lines()), report.to_json(), as_json=as_json)
    if not report.good:
        raise typer.Exit(Exit.PROBLEM)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where to write; it must not exist.")],
    withhold: Annotated[bool, typer.Option("--withhold", help="Leave private values out.")] = False,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Write the log as JSON lines up to a fresh checkpoint; anybody can verify it without the hub."""
    from config.verifying import export_to

    chosen = settings(data=data)
    try:
        _sign(chosen)
        count = export_to(chosen, file, values=not withhold)
    except FileExistsError:
        raise Failure("already_there", f"{file} exists; name another file", Exit.USAGE) from None
    except OSError as error:
        raise Failure("cannot_write", f"{file} cannot be written: {error.strerror}") from None
    answer(f"{count} entries in {file}", {"entries": count, "file": str(file)}, as_json=as_json)


@app.command()
def checkpoint(data: DataPath = None, as_json: AsJson = False) -> None:
    """Sign the log as it is now, and print the checkpoint."""
    note = _sign(settings(data=data))
    answer(note.rstrip("\n"), {"checkpoint": note}, as_json=as_json)


@app.command()
def key(data: DataPath = None, as_json: AsJson = False) -> None:
    """Print the key that verifies checkpoints; give it to whoever shall check."""
    from config.cli.desk import is_remote, text_of
    from config.verifying import verifier_key

    chosen = settings(data=data)
    shown = text_of(chosen, "/v1/audit/key") if is_remote(chosen) else verifier_key(chosen).text
    answer(shown.strip(), {"key": shown.strip()}, as_json=as_json)


def _sign(chosen: Settings) -> str:
    """A fresh checkpoint: from the running hub, or, with none running, made here."""
    from config.cli.desk import client_or_none
    from config.offline import sign_offline

    with client_or_none(chosen) as client:
        if client is not None:
            note: Any = client.post("/v1/audit/checkpoint")
            return str(note)
    progress("no hub runs; signing here")
    return sign_offline(chosen)
