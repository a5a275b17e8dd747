"""The Python client for commands of the shell: which hub, and how its errors end a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypedDict

from config.cli.client import Client
from config.cli.exits import Exit, Failure
from config.settings import Settings
from hub.client.errors import Held, InterlockError, LeaseLost, Refused, Unreachable, WaitOver


class Whereabouts(TypedDict):
    """The hub and the caller, as `hub.client.Client` takes them."""

    url: str | None
    key: str | None
    socket: str | None


def whereabouts(settings: Settings) -> Whereabouts:
    """The hub of INTERLOCK_URL and INTERLOCK_KEY, else the one on the data directory. Raises Failure."""
    where = Client(settings).where
    key = settings.environ.get("INTERLOCK_KEY")
    if key:
        return Whereabouts(url=where, key=key, socket=None)
    return Whereabouts(url=None, key=None, socket=where)


@contextmanager
def failing(settings: Settings) -> Iterator[None]:
    """What the client raises ends the command, with the exit code of CONTRACT."""
    try:
        yield
    except Unreachable as error:
        raise Failure(
            "unreachable", Client(settings).nobody(ConnectionError(error.message)), Exit.UNREACHABLE
        ) from None
    except Held as held:
        raise Failure(held.code, _said(held), Exit.REFUSED, data=_data_of(held)) from None
    except InterlockError as error:
        raise Failure(error.code, error.message, _exit_of(error), data=_data_of(error)) from None


def _said(held: Held) -> str:
    """Who has it, until when and what for."""
    lines = [
        f"{each['principal']} until {each['expires_at'] or 'somebody resolves its run'}"
        + (f" ({each['purpose']})" if each.get("purpose") else "")
        for each in held.held_by
    ]
    return "; ".join([held.message, *lines])


def _exit_of(error: InterlockError) -> Exit:
    match error:
        case Refused(status=status) if status >= 500:
            return Exit.UNREACHABLE
        case WaitOver():
            return Exit.EXPIRED
        case LeaseLost():
            return Exit.FAILED
        case _:
            return Exit.USAGE if error.code == "usage" else Exit.REFUSED


def _data_of(error: InterlockError) -> dict[str, object]:
    return {name: each for name, each in error.data.items() if name not in ("type", "title", "code", "detail", "text")}
