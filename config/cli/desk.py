"""Whether to ask a running hub or to work on the data directory ourselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config.cli.client import Client
    from config.settings import Settings


def is_remote(settings: Settings) -> bool:
    """Whether the commands of this shell go to a hub by its URL."""
    return bool(settings.environ.get("INTERLOCK_URL") or settings.environ.get("INTERLOCK_KEY"))


@contextmanager
def client_or_none(settings: Settings) -> Iterator[Client | None]:
    """A client of the hub that serves this data directory or URL; None when nobody holds the data directory."""
    from config.datadir import is_held

    if not is_remote(settings) and not is_held(settings.data):
        yield None
        return
    from config.cli.client import Client

    with Client(settings) as client:
        yield client


def text_of(settings: Settings, path: str) -> str:
    """The text at `path` of the hub."""
    from config.cli.client import Client

    with Client(settings) as client:
        return str(client.get(path))
