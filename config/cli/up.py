"""`up`: the hub itself, in the foreground, until it is told to stop."""

from __future__ import annotations

from typing import Annotated

import typer

from config.cli.exits import Exit
from config.cli.options import ConfigPath, DataPath

Host = Annotated[str | None, typer.Option(help="Where to listen; INTERLOCK_HOST, else 127.0.0.1.", show_default=False)]
Port = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="INTERLOCK_PORT, else 8000; 0 takes a free one.", show_default=False),
]
FirstRun = Annotated[
    bool,
    typer.Option(
        "--first-run",
        help="Write a first hub.yaml when there is none; print sign-in links while it names the sample people.",
    ),
]


def up(
    config: ConfigPath = None,
    data: DataPath = None,
    host: Host = None,
    port: Port = None,
    first_run: FirstRun = False,
) -> None:
    """Start the hub."""
    import gc
    import os
    import time

    began = time.monotonic()
    gc.disable()  # nothing that the start makes is garbage; serving.py turns it on again
    from config.settings import read

    settings = read(os.environ, config=config, data=data, host=host, port=port)
    if first_run and not settings.config.exists():
        from config.cli.setup import write_first

        write_first(settings.config.parent)
    from config.serving import serve

    if not serve(settings, began=began, greet_sample=first_run):
        raise typer.Exit(Exit.PROBLEM)
