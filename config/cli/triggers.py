"""`trigger test`: what a trigger would do on a past entry of the log."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from config.cli.options import AsJson, DataPath, settings
from config.cli.output import answer

app = typer.Typer(no_args_is_help=True, help="What events ask for by themselves.")


@app.callback()
def _group() -> None:
    """Keeps `test` a command of its own."""


@app.command("test")
def rehearse(
    name: Annotated[str, typer.Argument(help="Which trigger of hub.yaml.")],
    seq: Annotated[
        int | None, typer.Option(help="Which entry of the log, by its number; the last that fits without it.")
    ] = None,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Say what a trigger would do on a past entry of the log. Nothing is done."""
    from config.cli.client import Client

    with Client(settings(data=data)) as client:
        found: dict[str, Any] = client.post(f"/v1/triggers/{name}/test", {} if seq is None else {"seq": seq})
    answer(_words(found), found, as_json=as_json)


def _words(found: dict[str, Any]) -> str:
    what = f"{found['trigger']} on entry {found['seq']} ({found['event']})"
    if not found["looks"]:
        return f"{what}: it does not look at this event"
    if found["error"]:
        return f"{what}: {found['error']}"
    if not found["matches"]:
        return f"{what}: does not match"
    held = f", but it would be held back ({found['held_back']})" if found["held_back"] else ""
    params = " ".join(f"{name}={value}" for name, value in found["request"]["params"].items())
    refused = f", and be refused: {found['refused']['message']}" if found["refused"] else ""
    return f"{what}: as {found['as']} it would ask for {found['request']['action']} {params}{held}{refused}"
