"""A real hub in a process of its own, and a wire to it that can be disturbed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import ACTIONS, PEOPLE, HubProcess
from wire import Wire

from hub.client import Client


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """One hub for all tests of a file that do not stop it."""
    started = HubProcess(tmp_path_factory.mktemp("hub"), PEOPLE + ACTIONS)
    started.start()
    yield started
    started.close()


@pytest.fixture
def own_hub(tmp_path: Path) -> Iterator[HubProcess]:
    """A hub that the test may stop."""
    started = HubProcess(tmp_path, PEOPLE + ACTIONS)
    started.start()
    yield started
    started.close()


@pytest.fixture
def wire(hub: HubProcess) -> Iterator[Wire]:
    """The way to the hub, undisturbed until the test says otherwise."""
    with Wire(hub.url) as opened:
        yield opened


@pytest.fixture
def client_of(hub: HubProcess) -> Iterator[Callable[[str], Client]]:
    """Makes a client of that principal."""
    made: list[Client] = []

    def make(principal: str) -> Client:
        made.append(Client(hub.url, hub.key(principal)))
        return made[-1]

    yield make
    for client in made:
        client.close()
