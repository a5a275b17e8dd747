"""Whole stories need a whole hub: a real process, on a free port, with people who hold keys."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from processes import ACTIONS, PEOPLE, HubProcess, StartHub


@pytest.fixture
def start_hub(tmp_path: Path) -> Iterator[StartHub]:
    """Starts a hub of this test's own; `actions` replaces the actions and policies, `files` are written beside hub.yaml."""
    started: list[HubProcess] = []

    def start(
        *, actions: str = ACTIONS, people: str = PEOPLE, extra: str = "", files: Mapping[str, str] | None = None
    ) -> HubProcess:
        root = tmp_path / f"hub{len(started)}"
        root.mkdir()
        for name, text in (files or {}).items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        hub = HubProcess(root, people + extra + actions)
        started.append(hub)
        hub.start()
        return hub

    yield start
    for hub in started:
        hub.close()
        shutil.rmtree(hub.root, ignore_errors=True)


@pytest.fixture(scope="module")
def standing_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """One such hub for all tests of a file that neither stop it nor change its configuration."""
    hub = HubProcess(tmp_path_factory.mktemp("standing"), PEOPLE + ACTIONS)
    hub.start()
    yield hub
    hub.close()


@pytest.fixture
def hub(start_hub: StartHub) -> HubProcess:
    """A hub with ana (admin), bo and cai in `team`, the agent deploy-bot and the service ci."""
    return start_hub()
