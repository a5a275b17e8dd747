"""Options that several commands have, written once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from config.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Answer with JSON.")]
ConfigPath = Annotated[Path | None, typer.Option("--config", help="hub.yaml; INTERLOCK_CONFIG.", show_default=False)]
DataPath = Annotated[
    Path | None, typer.Option("--data", help="The data directory; INTERLOCK_DATA, else ./data.", show_default=False)
]
Because = Annotated[str | None, typer.Option("--because", "-b", help="Why; everybody who looks will read it.")]


def settings(*, config: Path | None = None, data: Path | None = None) -> Settings:
    """The settings of this call. The environment is read here and nowhere else in the CLI."""
    import os

    from config.settings import read

    return read(os.environ, config=config, data=data)
