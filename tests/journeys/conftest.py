"""Whole stories need a whole hub: a real process, on a free port, with people who hold keys."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from browsers import Visitor, chromium
from playwright.sync_api import Browser
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
    try:
        hub.start()
        yield hub
    finally:
        hub.close()


@pytest.fixture
def hub(start_hub: StartHub) -> HubProcess:
    """A hub with ana (admin), bo and cai in `team`, the agent deploy-bot and the service ci."""
    return start_hub()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a file; its loop must not run on while others' asynchronous tests do."""
    with chromium() as found:
        yield found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Each test knows in the end whether it failed, so that its visitors can leave what they saw."""
    report: Any = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


_FAILED = pytest.StashKey[bool]()


@pytest.fixture
def visitor_at(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Visitor]]:
    """Opens browsers at a hub, and closes them; those of a failed test leave what they saw in build/page."""
    visitors: list[Visitor] = []

    def open_one(hub: HubProcess, person: str | None, **how: Any) -> Visitor:
        visitors.append(Visitor(browser, hub, person, **how))
        return visitors[-1]

    yield open_one
    failed = request.node.stash.get(_FAILED, False)
    name = request.config.rootpath / "build" / "page" / re.sub(r"\W+", "-", request.node.name)[:80]
    for number, visitor in enumerate(visitors, 1):
        visitor.leave(Path(f"{name}-{number}-{visitor.person or 'nobody'}") if failed else None)


@pytest.fixture
def visit(visitor_at: Callable[..., Visitor], standing_hub: HubProcess) -> Callable[..., Visitor]:
    """Opens browsers at the standing hub."""
    return lambda person, **how: visitor_at(standing_hub, person, **how)
